package family

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// ropeDict finds the rope dictionary: transformers 5 writes rope_parameters,
// transformers 4 rope_scaling with rope_theta at the top level. Where both stand
// there, every version of transformers takes rope_scaling, others rope_parameters:
// they must say the same, with what the top level says of the rest. It returns the
// key it was found under, or "" and an empty dictionary.
func ropeDict(c *Config, def RopeDefaults) (key string, dict *Object, err error) {
	newer, err := c.Object.Object("rope_parameters")
	if err != nil {
		return "", nil, err
	}
	name := "rope_parameters"
	if def.Sliding != nil {
		if newer, err = ofType(newer, FullLayers); err != nil {
			return "", nil, err
		}
		name += "." + FullLayers
	}
	older, err := c.Object.Object("rope_scaling")
	if err != nil {
		return "", nil, err
	}
	switch {
	case newer != nil && older != nil && len(older.Keys()) > 0 && len(newer.Keys()) > 0:
		if at, a, b := differ(c, newer, older, def); at != "" {
			return "", nil, fmt.Errorf("keys %q and %q disagree on %s (%s, %s), and loaders take the one or the other: keep the one that is meant", name, "rope_scaling", at, a, b)
		}
		return name, newer, nil
	case newer != nil && len(newer.Keys()) > 0:
		return name, newer, nil
	case older != nil:
		return "rope_scaling", older, nil
	case newer != nil:
		return name, newer, nil
	case def.Absent != "":
		if dict, err = ParseObject([]byte(def.Absent)); err == nil {
			err = alone(c, def)
		}
		return "", dict, err
	default:
		return "", &Object{}, nil
	}
}

// alone refuses rope keys at the top level, which loaders of a family pass over that has
// a rope dictionary of its own where none is declared.
func alone(c *Config, def RopeDefaults) error {
	theta, partial := def.keys()
	for _, key := range []string{theta, partial} {
		if c.Has(key) {
			return fmt.Errorf("key %q is %s, and key \"rope_parameters\" is missing: loaders of this family pass over the former then: %w; write what is meant into rope_parameters", key, found(c.Object, key), posenc.ErrUnsupported)
		}
	}
	return nil
}

// differ names the first key on which two rope dictionaries disagree, and what
// each says. What one leaves out is what the top level or the family says.
func differ(c *Config, a, b *Object, def RopeDefaults) (key, x, y string) {
	say := func(o *Object, key string) string {
		if v := ropeTypeOf(o); key == "rope_type" {
			return v
		}
		for _, o := range []*Object{o, c.Object} {
			if o.Has(key) || key == "truncate" && o.Raw(key) != nil {
				return o.Spelled(key)
			}
			if o == c.Object && key == "rope_theta" && def.ThetaKey != "" && o.Has(def.ThetaKey) {
				return o.Spelled(def.ThetaKey)
			}
			if o == c.Object && key == "partial_rotary_factor" && def.PartialKey != "" && o.Has(def.PartialKey) {
				return o.Spelled(def.PartialKey)
			}
		}
		switch {
		case key == "rope_theta":
			return fmt.Sprint(def.Theta)
		case key == "partial_rotary_factor":
			return fmt.Sprint(cmp.Or(def.Partial, 1))
		}
		return "nothing"
	}
	for _, key := range append(a.Keys(), b.Keys()...) {
		if key == "type" {
			key = "rope_type"
		}
		if x, y := say(a, key), say(b, key); x != y && !config.Same(json.RawMessage(x), json.RawMessage(y)) {
			return key, x, y
		}
	}
	return "", "", ""
}

// ropeTypeOf is the rope type that a dictionary declares under either key.
func ropeTypeOf(dict *Object) string {
	for _, key := range []string{"rope_type", "type"} {
		if name, ok, err := dict.Text(key); ok && err == nil {
			return name
		}
	}
	return "default"
}

// RopeDefaults are a family's values for keys the configuration leaves out.
type RopeDefaults struct {
	Theta, Partial float64
	// InnerPartial: loaders pass over partial_rotary_factor at the top level, and take
	// Partial where the rope dictionary does not say it.
	InnerPartial bool
	// Whole: with the type "default" loaders turn all of a head, whatever
	// partial_rotary_factor says.
	Whole bool
	// ThetaKey and PartialKey are the family's own top-level spellings.
	ThetaKey, PartialKey string
	// TrainedLength is original_max_position_embeddings for the types that
	// scale; 0 is max_position_embeddings.
	TrainedLength int
	// Alpha: with the type "dynamic" an alpha stretches the base once for all, to
	// base·alpha^(d/(d−2)), d the head size: the type is "default" then, and the
	// length changes nothing.
	Alpha bool
	// QueryScale is the key, among those of the rotation, of β of a factor of queries
	// whose length is original_max_position_embeddings (QueryScale); "" is none.
	QueryScale string
	// Mscale: with any type but "default" cosines and sines are multiplied by
	// short_mscale up to the trained length and by long_mscale beyond it, and by
	// nothing else. One number for both is read.
	Mscale bool
	// ScoreFactor: loaders of the family multiply scores by
	// posenc.RopeParams.ScoreFactor, with any type but "default".
	ScoreFactor bool
	// DeepSeekYarn: the type "deepseek_yarn" is yarn.
	DeepSeekYarn bool
	// Sliding is of layers of sliding attention, where these turn by a declaration
	// of their own: rope_parameters then holds one for each type of layer, and
	// rope_scaling is that of full attention.
	Sliding *RopeDefaults
	// Absent is the rope dictionary, of layers of full attention where types differ, for a
	// configuration that has none at all; empty is the defaults above.
	Absent string
}

// readRope reads the rotary encoding, that of layers of full attention where their
// types differ, and the trained length.
func readRope(m *Model, headDim int, def RopeDefaults) error {
	key, dict, err := ropeDict(m.Config, def)
	if err == nil {
		m.Rope, err = m.readRopeDict(key, dict, headDim, def)
	}
	return err
}

// readRopeDict reads one dictionary of rope keys, and the top level for what it
// leaves out.
func (m *Model) readRopeDict(key string, dict *Object, headDim int, def RopeDefaults) (none posenc.RopeParams, err error) {
	c := m.Config
	at := func(err error) error {
		if err == nil || key == "" {
			return err
		}
		return fmt.Errorf("%s: %w", key, err)
	}
	stretch := 1.0
	if def.Alpha {
		if dict, stretch, err = stretched(dict, headDim); err != nil {
			return none, at(err)
		}
	}
	p := posenc.RopeParams{Type: "default", Theta: def.Theta, Partial: def.Partial, HeadDim: headDim,
		MaxPositions: m.MaxPositions, BetaFast: 32, BetaSlow: 1, Truncate: true}
	share := p.Share()
	name, _, err := dict.Text("rope_type")
	if err != nil {
		return none, at(err)
	}
	older, _, err := dict.Text("type")
	if err != nil {
		return none, at(err)
	}
	switch {
	case name != "" && older != "" && name != older:
		return none, at(fmt.Errorf("keys %q (%s) and %q (%s) disagree: %w; loaders differ in which they take (transformers rope_type, mlx-lm and Ollama type): remove the one that is not meant", "rope_type", name, "type", older, posenc.ErrUnsupported))
	case name != "":
		p.Type = name
	case older != "":
		p.Type = older
	}
	if p.Type == "su" { // the name Phi-3's first configurations used
		p.Type = "longrope"
	}
	if p.Type == "deepseek_yarn" && def.DeepSeekYarn {
		p.Type = "yarn"
	}
	row, err := posenc.FindRopeType(p.Type)
	if err != nil {
		return none, at(err)
	}
	if err := m.ropeKeys(key, dict, row, def); err != nil {
		return none, at(err)
	}
	theta, partial := def.keys()
	if err := floats(c.Object, map[string]*float64{theta: &p.Theta, partial: &share}); err != nil {
		return none, err
	}
	if err := at(floats(dict, map[string]*float64{"rope_theta": &p.Theta, "partial_rotary_factor": &share})); err != nil {
		return none, err // the dictionary has the last word
	}
	if share < 0 {
		return none, at(fmt.Errorf("partial_rotary_factor %v: expected a number from 0 to 1", share))
	}
	if def.Whole && p.Type == "default" && share != 1 && share != 0 {
		m.Warn("partial_rotary_factor is %v, and loaders of this family turn all of a head where the rope type is \"default\", as does pecvt; code that came with the first checkpoints turns the share: remove the key if the model was made with the former", share)
		share = 1
	}
	p.SetShare(share)
	for _, outer := range []struct {
		key, inner string
		used       float64
	}{{theta, "rope_theta", p.Theta}, {partial, "partial_rotary_factor", share}} {
		if v, ok, err := c.Float(outer.key); err == nil && ok && dict.Has(outer.inner) && v != outer.used {
			m.Warn("%s is %v at the top level and %s %v in %s: %v is used, as transformers 5 does; transformers 4 takes the other, so make them agree", outer.key, v, outer.inner, outer.used, key, outer.used)
		}
	}
	p.Theta *= stretch
	if err := at(floats(dict, map[string]*float64{"factor": &p.Factor, "beta_fast": &p.BetaFast, "beta_slow": &p.BetaSlow,
		"mscale": &p.MScale, "mscale_all_dim": &p.MScaleAllDim, "low_freq_factor": &p.LowFreqFactor, "high_freq_factor": &p.HighFreqFactor})); err != nil {
		return none, err
	}
	if v, ok, err := dict.Float("attention_factor"); err != nil {
		return none, at(err)
	} else if ok {
		p.AttentionFactor = &v
	}
	if def.Mscale && p.Type != "default" {
		if p.AttentionFactor, err = mscale(dict); err != nil {
			return none, at(err)
		}
	}
	if def.Sliding != nil && dict.Raw("truncate") != nil {
		m.Warn("%s.truncate (%s) is read by no loader where rope_parameters is keyed by the types of layers: the ends of yarn's ramp are rounded; remove the key", key, dict.Raw("truncate"))
	} else if string(dict.Raw("truncate")) == "null" { // what is there and null is false
		p.Truncate = false
		m.Warn("%s.truncate is null, which transformers takes for false: the ends of yarn's ramp are not rounded; write false, or leave the key out for true", key)
	} else if v, ok, err := dict.Bool("truncate"); err != nil {
		return none, at(err)
	} else if ok {
		p.Truncate = v
	}
	p.BetaFast, p.BetaSlow = cmp.Or(p.BetaFast, 32), cmp.Or(p.BetaSlow, 1) // 0 is none there
	if p.ShortFactor, err = dict.Floats("short_factor"); err != nil {
		return none, at(err)
	}
	if p.LongFactor, err = dict.Floats("long_factor"); err != nil {
		return none, at(err)
	}
	if err := trainedLength(m, &p, key, dict, def.TrainedLength); err != nil {
		return none, err
	}
	return p, nil
}

// mscale is the factor of cosines and sines by the two keys that some loaders read it
// from.
func mscale(dict *Object) (*float64, error) {
	var v [2]float64
	for i, key := range []string{"short_mscale", "long_mscale"} {
		x, ok, err := dict.Float(key)
		if err == nil && !(ok && x > 0 && !math.IsInf(x, 0)) {
			err = fmt.Errorf("key %q is %s: expected a positive number, without which loaders of this family stop", key, cmp.Or(string(dict.Raw(key)), "missing"))
		}
		if err != nil {
			return nil, err
		}
		v[i] = x
	}
	if v[0] != v[1] {
		return nil, Unsupported("short_mscale is %v and long_mscale %v: a factor of cosines and sines that depends on the length", v[0], v[1])
	}
	return &v[0], nil
}

// trainedLength reads L: the original length where scaling is declared, else
// max_position_embeddings.
func trainedLength(m *Model, p *posenc.RopeParams, key string, dict *Object, def int) error {
	const name = "original_max_position_embeddings"
	m.TrainedLength, m.TrainedLengthFrom = m.MaxPositions, "max_position_embeddings"
	set := func(o *Object, from string) error {
		v, ok, err := o.Int(name)
		if err != nil {
			return err
		}
		if ok && v <= 0 {
			return fmt.Errorf("%s is %d: expected a positive number", from, v)
		}
		if ok {
			m.TrainedLength, m.TrainedLengthFrom = v, from
		}
		return nil
	}
	if p.Type != "default" && p.Type != "proportional" {
		if def != 0 {
			m.TrainedLength, m.TrainedLengthFrom = def, "the family's default "+name
		}
		if err := set(dict, key+"."+name); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		// transformers gives the top-level key the last word
		inner, within, _ := dict.Int(name)
		if err := set(m.Config.Object, name); err != nil {
			return err
		}
		if within && inner != m.TrainedLength {
			m.Warn("%s is %d at the top level and %d in %s: %d is used, as transformers 5 does; make them agree", name, m.TrainedLength, inner, key, m.TrainedLength)
		}
		if p.Type == "linear" && m.TrainedLengthFrom == "max_position_embeddings" {
			m.Warn("linear scaling by %v declares no %s: the trained length is taken to be max_position_embeddings (%d); set "+hint.TrainLength+" if that is the extended one", p.Factor, name, m.MaxPositions)
		}
	}
	p.TrainedLength = m.TrainedLength
	if p.Plain() && p.Type == "llama3" { // the key is a unit of the two factors and no length
		m.TrainedLength, m.TrainedLengthFrom = m.MaxPositions, "max_position_embeddings"
	}
	return nil
}

func floats(o *Object, into map[string]*float64) error {
	for _, k := range o.Keys() {
		dst, wanted := into[k]
		if !wanted {
			continue
		}
		v, ok, err := o.Float(k)
		if err != nil {
			return err
		}
		if ok {
			*dst = v
		}
	}
	return nil
}

func (m *Model) Warn(format string, args ...any) {
	m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...))
}

// stretched returns what an alpha beside the type "dynamic" multiplies the base by,
// and the dictionary without both; without them the dictionary as it is, and 1.
func stretched(dict *Object, headDim int) (*Object, float64, error) {
	kind, _, err := dict.Text("rope_type")
	if err == nil && kind == "" {
		kind, _, err = dict.Text("type")
	}
	if err != nil || kind != "dynamic" {
		return dict, 1, err
	}
	alpha, ok, err := dict.Float("alpha")
	if err != nil || !ok || alpha == 0 { // loaders take 0 for none
		return dict, 1, err
	}
	if !(alpha > 0) || math.IsInf(alpha, 0) || headDim < 3 {
		return nil, 1, fmt.Errorf("alpha is %v over heads of %d: expected a positive number, and heads of 4 or more", alpha, headDim)
	}
	plain := newObject()
	for _, key := range []string{"rope_theta", "partial_rotary_factor"} { // what is left is of the type
		if raw := dict.Raw(key); raw != nil {
			plain.Set(key, raw)
		}
	}
	return plain, math.Pow(alpha, float64(headDim)/float64(headDim-2)), nil
}

// Still is a layer without rotation.
func Still(headDim int) posenc.Rotary {
	return posenc.Rotary{HeadDim: headDim, Spectrum: posenc.Spectrum{InvFreq: []float64{}, Gain: 1}}
}
