package family

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// ropeDict finds the rope dictionary: transformers 5 writes rope_parameters,
// transformers 4 rope_scaling with rope_theta at the top level. It returns the
// key it was found under, or "" and an empty dictionary.
func ropeDict(c *Config) (key string, dict *Object, err error) {
	empty := &Object{}
	newer, err := c.Object.Object("rope_parameters")
	if err != nil {
		return "", nil, err
	}
	older, err := c.Object.Object("rope_scaling")
	if err != nil {
		return "", nil, err
	}
	switch {
	case newer != nil && older != nil:
		if !sameDict(c.Object, newer, older) {
			return "", nil, fmt.Errorf("keys %q and %q disagree: keep the one that is meant", "rope_parameters", "rope_scaling")
		}
		return "rope_parameters", newer, nil
	case newer != nil:
		return "rope_parameters", newer, nil
	case older != nil:
		return "rope_scaling", older, nil
	default:
		return "", empty, nil
	}
}

// sameDict reports whether rope_parameters and rope_scaling say the same. What the
// older one leaves to the top level of the configuration is compared there.
func sameDict(c, newer, older *Object) bool {
	a, b := values(newer), values(older)
	for _, k := range []string{"rope_theta", "partial_rotary_factor"} {
		if _, ok := b[k]; !ok && newer.Has(k) && c.Has(k) {
			b[k] = value(c.Raw(k))
		}
	}
	return reflect.DeepEqual(a, b)
}

// values decodes what a rope dictionary holds, without nulls.
func values(o *Object) map[string]any {
	m := map[string]any{}
	for _, k := range o.Keys() {
		if o.Has(k) {
			m[k] = value(o.Raw(k))
		}
	}
	if older, ok := m["type"]; ok && (m["rope_type"] == nil || m["rope_type"] == older) { // the key's first name
		m["rope_type"] = older
		delete(m, "type")
	}
	return m
}

// value decodes JSON that was parsed before.
func value(raw json.RawMessage) any {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(fmt.Sprintf("family: %s: %v", raw, err))
	}
	return v
}

// ropeDefaults are a family's values for keys the configuration leaves out.
type ropeDefaults struct {
	Theta, Partial float64
	// ThetaKey and PartialKey are the family's own top-level spellings.
	ThetaKey, PartialKey string
	// TrainedLength is original_max_position_embeddings for the types that
	// scale; 0 is max_position_embeddings.
	TrainedLength int
}

// readRope reads the rotary encoding and the trained length.
func readRope(m *Model, headDim int, def ropeDefaults) error {
	c := m.Config
	key, dict, err := ropeDict(c)
	if err != nil {
		return err
	}
	at := func(err error) error {
		if err == nil || key == "" {
			return err
		}
		return fmt.Errorf("%s: %w", key, err)
	}
	p := posenc.RopeParams{Type: "default", Theta: def.Theta, Partial: def.Partial, HeadDim: headDim,
		MaxPositions: m.MaxPositions, BetaFast: 32, BetaSlow: 1, Truncate: true}
	share := p.Share()
	name, _, err := dict.Text("rope_type")
	if err != nil {
		return at(err)
	}
	older, _, err := dict.Text("type")
	if err != nil {
		return at(err)
	}
	switch {
	case name != "" && older != "" && name != older:
		return at(fmt.Errorf("keys %q (%s) and %q (%s) disagree", "rope_type", name, "type", older))
	case name != "":
		p.Type = name
	case older != "":
		p.Type = older
	}
	if p.Type == "su" { // the name Phi-3's first configurations used
		p.Type = "longrope"
	}
	row, err := posenc.FindRopeType(p.Type)
	if err != nil {
		return at(err)
	}
	if err := checkKeys(dict, row); err != nil {
		return at(err)
	}
	if err := floats(c.Object, map[string]*float64{def.ThetaKey: &p.Theta, def.PartialKey: &share}); err != nil {
		return err
	}
	for _, o := range []*Object{c.Object, dict} { // the dictionary has the last word
		if err := floats(o, map[string]*float64{"rope_theta": &p.Theta, "partial_rotary_factor": &share}); err != nil {
			return err
		}
	}
	if share < 0 {
		return at(fmt.Errorf("partial_rotary_factor %v: expected a number from 0 to 1", share))
	}
	p.SetShare(share)
	if c.Has("rope_theta") && dict.Has("rope_theta") {
		outer, _, _ := c.Float("rope_theta")
		if outer != p.Theta {
			m.warn("rope_theta is %v at the top level and %v in %s; %v is used", outer, p.Theta, key, p.Theta)
		}
	}
	if err := at(floats(dict, map[string]*float64{"factor": &p.Factor, "beta_fast": &p.BetaFast, "beta_slow": &p.BetaSlow,
		"mscale": &p.MScale, "mscale_all_dim": &p.MScaleAllDim, "low_freq_factor": &p.LowFreqFactor, "high_freq_factor": &p.HighFreqFactor})); err != nil {
		return err
	}
	if v, ok, err := dict.Float("attention_factor"); err != nil {
		return at(err)
	} else if ok {
		p.AttentionFactor = &v
	}
	if v, ok, err := dict.Bool("truncate"); err != nil {
		return at(err)
	} else if ok {
		p.Truncate = v
	}
	if p.ShortFactor, err = dict.Floats("short_factor"); err != nil {
		return at(err)
	}
	if p.LongFactor, err = dict.Floats("long_factor"); err != nil {
		return at(err)
	}
	if err := trainedLength(m, &p, key, dict, def.TrainedLength); err != nil {
		return err
	}
	m.Rope = p
	return nil
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
		if err := set(m.Config.Object, name); err != nil {
			return err
		}
		if p.Type == "linear" && m.TrainedLengthFrom == "max_position_embeddings" {
			m.warn("linear scaling by %v declares no %s: the trained length is taken to be max_position_embeddings (%d); set "+hint.TrainLength+" if that is the extended one", p.Factor, name, m.MaxPositions)
		}
	}
	p.TrainedLength = m.TrainedLength
	if p.Plain() && p.Type == "llama3" { // the key is a unit of the two factors and no length
		m.TrainedLength, m.TrainedLengthFrom = m.MaxPositions, "max_position_embeddings"
	}
	return nil
}

// checkKeys refuses what the rope type does not read: an unread key is a
// scaling dropped without a word.
func checkKeys(dict *Object, row posenc.RopeType) error {
	known := map[string]bool{"rope_type": true, "type": true, "rope_theta": true, "partial_rotary_factor": true}
	for _, k := range append(append([]string(nil), row.Required...), row.Optional...) {
		known[k] = true
	}
	for _, k := range row.Required {
		if !dict.Has(k) {
			return fmt.Errorf("rope type %q: key %q is missing", row.Name, k)
		}
	}
	var unknown []string
	for _, k := range dict.Keys() {
		if !known[k] && dict.Has(k) {
			unknown = append(unknown, k)
		}
	}
	if unknown != nil {
		return fmt.Errorf("rope type %q: keys it does not read: %s: %w", row.Name, strings.Join(unknown, ", "), posenc.ErrUnsupported)
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

func (m *Model) warn(format string, args ...any) {
	m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...))
}
