package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// original is the key of the trained length.
const original = "original_max_position_embeddings"

// writeRope spells parameters in a configuration in the style it came in:
// rope_parameters (transformers 5), or rope_scaling with rope_theta at the top
// level (transformers 4), or both alike. A source without either gets
// rope_scaling: a loader that knows neither the type nor the newer key then
// stops, where it would pass over rope_parameters without a word.
//
// outer also writes rope_theta and partial_rotary_factor at the top level, where
// loaders of partial families look for them.
func writeRope(c *family.Object, source, p posenc.RopeParams, outer bool) error {
	var keys []string
	for _, k := range []string{"rope_parameters", "rope_scaling"} {
		if c.Has(k) {
			keys = append(keys, k)
		}
	}
	newer := len(keys) > 0 && keys[0] == "rope_parameters"
	if outer || c.Has("rope_theta") || !newer && p.Theta != source.Theta {
		setFloat(c, "rope_theta", p.Theta)
	}
	if outer || c.Has("partial_rotary_factor") && p.Type != "proportional" {
		setFloat(c, "partial_rotary_factor", p.Share())
	}
	if c.Has(original) && readsOriginal(p.Type) {
		setNumber(c, original, float64(p.TrainedLength))
	}
	if p.Type == "default" && !newer {
		for _, k := range keys {
			c.Set(k, nil)
		}
		return nil
	}
	if keys == nil {
		keys = []string{"rope_scaling"}
	}
	old, err := c.Object(keys[0])
	if err != nil {
		return err
	}
	if old == nil {
		old = empty()
	}
	dict := ropeDict(old, p, newer, outer)
	for _, k := range keys {
		c.Set(k, dict)
	}
	return nil
}

func empty() *family.Object {
	o, err := family.ParseObject([]byte("{}"))
	if err != nil {
		panic(fmt.Sprintf("rewrite: an empty object does not parse: %v", err))
	}
	return o
}

// ropeDict edits the old dictionary: keys that stay keep their place and their
// spelling, keys of the old type alone go.
func ropeDict(old *family.Object, p posenc.RopeParams, newer, outer bool) *family.Object {
	d := old.Clone()
	values := dictValues(p)
	stays := map[string]bool{"rope_type": true, "rope_theta": true}
	for _, v := range values {
		stays[v.key] = true
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
	if newer || d.Has("rope_theta") {
		setFloat(d, "rope_theta", p.Theta)
	}
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
	return list
}

func readsOriginal(ropeType string) bool {
	return ropeType != "default" && ropeType != "proportional"
}

// readBack parses the configuration that was made and compares what it says
// with what was wanted. A difference is a fault of this package.
func readBack(c *family.Object, path string, want posenc.Spectrum, long *posenc.Spectrum) error {
	text, err := c.Indented()
	if err != nil {
		return err
	}
	parsed, err := family.ParseObject(text)
	if err != nil {
		return fmt.Errorf("internal error: the configuration made from %s does not parse: %w", path, err)
	}
	m, err := family.FromConfig(&family.Config{Object: parsed, Path: path})
	if err != nil {
		return fmt.Errorf("internal error: the new configuration does not read back: %w", err)
	}
	if long == nil {
		long = &want
	}
	for _, at := range []struct {
		length int
		want   posenc.Spectrum
	}{{m.TrainedLength, want}, {max(m.TrainedLength, m.MaxPositions) + 1, *long}} {
		got, err := m.Rope.Spectrum(at.length)
		if err != nil {
			return fmt.Errorf("internal error: the new configuration: %w", err)
		}
		if !near(got, at.want, spellTolerance) {
			return fmt.Errorf("internal error: the new configuration of %s says frequencies %v (attention factor %v) at length %d: %v (%v) are wanted", path, got.InvFreq, got.Gain, at.length, at.want.InvFreq, at.want.Gain)
		}
	}
	return nil
}
