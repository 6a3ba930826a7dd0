package rewrite

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// original is the key of the trained length.
const original = "original_max_position_embeddings"

// writeRope spells parameters in a configuration so that readers of either
// generation compute the same: rope_parameters (transformers 5) holds all of it,
// and rope_scaling with rope_theta at the top level (transformers 4, mlx-lm,
// Ollama, candle) says it again. Each alone is passed over by somebody without a
// word: mlx-lm and transformers 4 turn by base 10000 where they find
// rope_parameters only, and transformers 5 loses the base where it finds both
// without rope_theta at the top.
//
// rope_scaling has neither rope_theta nor what the top level says of
// partial_rotary_factor: transformers 4 warns of keys that its type does not read.
// It has the type under its first name, "type", as well: Ollama reads linear, and
// stops at an unknown type of Qwen2, by that name alone, and mlx-lm reads Phi-3's
// longrope by it.
//
// A share of the head that turns stands at the top level too, under the family's
// own key where it has one (spec): older loaders look for it there, and SGLang for
// that of proportional. outer writes it there whatever it is.
func writeRope(c *family.Object, spec family.Spec, source, p posenc.RopeParams, outer bool) error {
	newer, err := c.Object("rope_parameters")
	if err != nil {
		return err
	}
	older, err := c.Object("rope_scaling")
	if err != nil {
		return err
	}
	if newer != nil || p.Type != "default" || outer || c.Has("rope_theta") || p.Theta != source.Theta {
		setFloat(c, "rope_theta", p.Theta)
		if key := spec.Rope.ThetaKey; key != "" {
			setFloat(c, key, p.Theta)
		}
	}
	if usual := spec.Rope.Partial; p.Share() != 1 || usual != 0 && usual != 1 || outer || c.Has("partial_rotary_factor") {
		setFloat(c, "partial_rotary_factor", p.Share())
		if key := spec.Rope.PartialKey; key != "" {
			setFloat(c, key, p.Share())
		}
	}
	if c.Has(original) && readsOriginal(p.Type) {
		setNumber(c, original, float64(p.TrainedLength))
	}
	plain := p.Type == "default"
	beside := axes(newer, older)
	if newer == nil && plain {
		switch {
		case axes(older) != nil: // what models of vision turn by, and stop without
			c.Set("rope_scaling", scalingDict(dictOf(spec, older, p, outer, beside...), c, spec))
		case older != nil:
			c.Set("rope_scaling", nil)
		}
		return nil
	}
	full := dictOf(spec, first(newer, older), p, outer, beside...)
	c.Set("rope_parameters", full)
	switch {
	case !plain:
		c.Set("rope_scaling", scalingDict(dictOf(spec, first(older, newer), p, outer, beside...), c, spec))
	case older != nil:
		c.Set("rope_scaling", nil)
	}
	return nil
}

// axes lists the keys that divide a head's planes among the axes of images' positions:
// they stay whatever the planes turn by.
func axes(dicts ...*family.Object) []string {
	var list []string
	for _, key := range []string{"mrope_section", "mrope_interleaved"} {
		if slices.ContainsFunc(dicts, func(d *family.Object) bool { return d != nil && d.Has(key) }) {
			list = append(list, key)
		}
	}
	return list
}

// first returns the first object there is, or an empty one.
func first(objects ...*family.Object) *family.Object {
	for _, o := range objects {
		if o != nil {
			return o
		}
	}
	return empty()
}

// scalingDict is what rope_scaling holds of the whole dictionary.
func scalingDict(d, c *family.Object, spec family.Spec) *family.Object {
	d.Delete("rope_theta")
	ropeType, _, _ := d.Text("rope_type")
	d.Set("type", ropeType)
	if ropeType != "proportional" && c.Has("partial_rotary_factor") && !spec.Rope.InnerPartial {
		d.Delete("partial_rotary_factor")
	}
	return d
}

func empty() *family.Object {
	o, err := family.ParseObject([]byte("{}"))
	if err != nil {
		panic(fmt.Sprintf("rewrite: an empty object does not parse: %v", err))
	}
	return o
}

// dictOf is [ropeDict] with the family's own spelling of the attention factor.
func dictOf(spec family.Spec, old *family.Object, p posenc.RopeParams, outer bool, beside ...string) *family.Object {
	d := ropeDict(old, p, outer, append(spec.Rope.Beside(), beside...)...)
	if spec.Rope.InnerPartial {
		setFloat(d, "partial_rotary_factor", p.Share())
	}
	if spec.Rope.Mscale && p.AttentionFactor != nil {
		setFloat(d, "short_mscale", *p.AttentionFactor)
		setFloat(d, "long_mscale", *p.AttentionFactor)
	}
	return d
}

// ropeDict edits the old dictionary: keys that stay keep their place and their
// spelling, keys of the old type alone go. Those beside are read for something else,
// and stay.
func ropeDict(old *family.Object, p posenc.RopeParams, outer bool, beside ...string) *family.Object {
	d := old.Clone()
	values := dictValues(p)
	stays := map[string]bool{"rope_type": true, "rope_theta": true}
	for _, v := range values {
		stays[v.key] = true
	}
	for _, key := range beside {
		stays[key] = true
	}
	inner := p.Type == "proportional" || outer || d.Has("partial_rotary_factor") && p.Share() != 1
	if inner {
		stays["partial_rotary_factor"] = true
	}
	for _, k := range d.Keys() {
		if !stays[k] || !d.Has(k) {
			d.Delete(k)
		}
	}
	d.Set("rope_type", p.Type)
	setFloat(d, "rope_theta", p.Theta)
	if inner {
		setFloat(d, "partial_rotary_factor", p.Share())
	}
	for _, v := range values {
		switch x := v.value.(type) {
		case float64:
			setFloat(d, v.key, x)
		case int:
			setNumber(d, v.key, float64(x))
		case []float64:
			d.Set(v.key, numbers(x))
		}
	}
	return d
}

type keyValue struct {
	key   string
	value any
}

// dictValues lists what a rope type's dictionary holds beside its type, base
// and partial factor.
func dictValues(p posenc.RopeParams) []keyValue {
	var list []keyValue
	add := func(key string, value any) { list = append(list, keyValue{key, value}) }
	switch p.Type {
	case "linear":
		add("factor", p.Factor)
		if p.TrainedLength != p.MaxPositions {
			add(original, p.TrainedLength)
		}
	case "yarn":
		add("factor", p.Factor)
		add(original, p.TrainedLength)
		if p.MScale != 0 {
			add("mscale", p.MScale)
		}
	case "llama3":
		add("factor", p.Factor)
		add("low_freq_factor", p.LowFreqFactor)
		add("high_freq_factor", p.HighFreqFactor)
		add(original, p.TrainedLength)
	case "proportional":
		if p.Factor != 0 && p.Factor != 1 {
			add("factor", p.Factor)
		}
	case "longrope":
		add("factor", p.Factor)
		add("attention_factor", *p.AttentionFactor)
		add(original, p.TrainedLength)
		add("short_factor", p.ShortFactor)
		add("long_factor", p.LongFactor)
	}
	if p.MScaleAllDim != 0 {
		add("mscale_all_dim", p.MScaleAllDim)
	}
	return list
}

func readsOriginal(ropeType string) bool {
	return ropeType != "default" && ropeType != "proportional"
}

// said is what a declaration is to say: that of layers of full attention, or of the
// named kind; long, where not nil, beyond the trained length; score, where not 0, the
// factor of the scores.
type said struct {
	of    string
	want  posenc.Spectrum
	long  *posenc.Spectrum
	score float64
}

// parsed is the model that a configuration which was made says when it is read. An error
// is a fault of this package.
func parsed(c *family.Object, path string) (*family.Model, error) {
	text, err := c.Indented()
	if err != nil {
		return nil, err
	}
	o, err := family.ParseObject(text)
	if err != nil {
		return nil, fmt.Errorf("internal error: the configuration made from %s does not parse: %w", path, err)
	}
	m, err := families.FromConfig(&family.Config{Object: o, Path: path})
	if err != nil {
		return nil, fmt.Errorf("internal error: the new configuration does not read back: %w", err)
	}
	return m, nil
}

// readBack parses the configuration that was made and compares what it says
// with what was wanted. A difference is a fault of this package.
func readBack(c *family.Object, path string, positions int, wants ...said) error {
	m, err := parsed(c, path)
	if err != nil {
		return err
	}
	if m.MaxPositions != positions {
		return fmt.Errorf("internal error: the new configuration of %s has %d positions: expected %d", path, m.MaxPositions, positions)
	}
	for _, w := range wants {
		if err := w.by(m); err != nil {
			return fmt.Errorf("internal error: the new configuration of %s: %w", path, err)
		}
	}
	return nil
}

// by says where a model's declaration is another.
func (w said) by(m *family.Model) error {
	says := m.Rope
	if w.of == family.SlidingLayers {
		says = *m.SlidingRope()
	}
	if got := says.ScoreFactor(); w.score != 0 && !close(got, w.score, spellTolerance) {
		return fmt.Errorf("it multiplies scores by %v: %v is wanted", got, w.score)
	}
	long := w.long
	if long == nil {
		long = &w.want
	}
	for _, at := range []struct {
		length int
		want   posenc.Spectrum
	}{{m.TrainedLength, w.want}, {max(m.TrainedLength, m.MaxPositions) + 1, *long}} {
		got, err := says.Spectrum(at.length)
		if err != nil {
			return err
		}
		if !near(got, at.want, spellTolerance) {
			return fmt.Errorf("it says frequencies %v (attention factor %v) at length %d: %v (%v) are wanted", got.InvFreq, got.Gain, at.length, at.want.InvFreq, at.want.Gain)
		}
	}
	return nil
}
