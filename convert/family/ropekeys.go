package family

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// keys are the family's names of base and share at the top level.
func (d RopeDefaults) keys() (theta, partial string) {
	theta, partial = "rope_theta", "partial_rotary_factor"
	if d.ThetaKey != "" {
		theta = d.ThetaKey
	}
	if d.PartialKey != "" {
		partial = d.PartialKey
	}
	return theta, partial
}

// ropeNote is a key of rope dictionaries that transformers reads with no type.
type ropeNote struct {
	key string
	// neutral is a value with which nobody computes anything else, "" for none.
	neutral float64
	// refused says what others do with it and what to write instead; empty is a
	// note, which nobody computes with.
	refused string
}

// ropeNotes, as transformers 5.24 (which warns of them and goes on) and vLLM's
// rotary embeddings read them.
var ropeNotes = []ropeNote{
	{key: "finetuned"},
	{key: "max_position_embeddings"},
	{key: "mrope_section"},
	{key: "mrope_interleaved"},
	{key: "attn_factor", neutral: 1, refused: "vLLM multiplies the attention factor by it, transformers passes over it: write \"attention_factor\" with the whole factor, or remove the key"},
	{key: "extrapolation_factor", neutral: 1, refused: "vLLM computes yarn's ramp with it, transformers passes over it: remove the key if the model was made with transformers"},
	{key: "alpha", refused: "Hunyuan's loaders and vLLM scale the base by it, transformers passes over it in this family: write the scaled base as \"rope_theta\", or remove the key"},
	{key: "short_mscale", neutral: 1, refused: "vLLM scales cosines and sines by it, transformers passes over it: write \"attention_factor\", or remove the key"},
	{key: "long_mscale", neutral: 1, refused: "vLLM scales cosines and sines by it, transformers passes over it: write \"attention_factor\", or remove the key"},
}

// RopeNote is a key of rope dictionaries that no rope type reads: a note, or one
// that is refused for the reason given.
type RopeNote struct{ Key, Refused string }

// RopeNotes lists them, for documents.
func RopeNotes() []RopeNote {
	var list []RopeNote
	for _, n := range ropeNotes {
		list = append(list, RopeNote{n.key, n.refused})
	}
	return list
}

// ropeKeys judges every key of the rope dictionary: the type reads it, or it is
// known to be a note, or it is refused by name: an unread key is a scaling dropped
// without a word.
func (m *Model) ropeKeys(at string, dict *Object, row posenc.RopeType, def RopeDefaults) error {
	known := append([]string{"rope_type", "type", "rope_theta", "partial_rotary_factor"}, row.Required...)
	known = append(append(known, row.Optional...), def.Beside()...)
	if def.Mscale && row.Name != "default" {
		known = append(known, "short_mscale", "long_mscale")
	}
	if def.ScoreFactor && row.Name != "default" {
		known = append(known, "mscale_all_dim")
		if m, _, err := dict.Float("mscale_all_dim"); err == nil && m != 0 && !dict.Has("factor") {
			return fmt.Errorf("rope type %q: key %q is missing, by which mscale_all_dim scales scores, and loaders stop: write it, or remove mscale_all_dim", row.Name, "factor")
		}
	}
	for _, k := range row.Required {
		if !dict.Has(k) {
			return fmt.Errorf("rope type %q: key %q is missing", row.Name, k)
		}
	}
	for _, k := range []string{"rope_type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"} {
		if string(dict.Raw(k)) == "null" && slices.Contains(known, k) {
			return fmt.Errorf("rope type %q: key %q is null, at which stock loaders stop: %w; write the value, or leave the key out for the default", row.Name, k, posenc.ErrUnsupported)
		}
	}
	var unknown []string
	first := ""
	for _, k := range dict.Keys() {
		if slices.Contains(known, k) || !dict.Has(k) {
			continue
		}
		i := slices.IndexFunc(ropeNotes, func(n ropeNote) bool { return n.key == k })
		value, number, _ := dict.Float(k)
		switch {
		case k == "original_max_position_embeddings" && row.Name == "default", i >= 0 && ropeNotes[i].neutral != 0 && number && value == ropeNotes[i].neutral:
		case i >= 0 && ropeNotes[i].refused != "":
			return fmt.Errorf("rope type %q: keys it does not read: %s (%s): %w, since loaders disagree on it: %s", row.Name, k, found(dict, k), posenc.ErrUnsupported, ropeNotes[i].refused)
		case i >= 0:
			m.Warn("%s.%s (%s) is a note that no loader computes text with; it is passed over", at, k, found(dict, k))
		case ofAnotherType(k) && row.Name != "default":
			m.Warn("%s.%s (%s) belongs to another rope type than %s, and no loader reads it with this one; it is passed over, remove it", at, k, found(dict, k), row.Name)
		default:
			unknown, first = append(unknown, k+" ("+found(dict, k)+")"), cmp.Or(first, k)
		}
	}
	if unknown != nil {
		return fmt.Errorf("rope type %q: keys it does not read: %s: %w; %s", row.Name, strings.Join(unknown, ", "), posenc.ErrUnsupported, unreadAdvice(first, row))
	}
	return nil
}

func ofAnotherType(key string) bool {
	return slices.ContainsFunc(posenc.RopeTypes(), func(t posenc.RopeType) bool {
		return slices.Contains(t.Required, key) || slices.Contains(t.Optional, key)
	})
}

// unreadAdvice says how to go on from a key that is not read.
func unreadAdvice(key string, row posenc.RopeType) string {
	switch {
	case ofAnotherType(key):
		return "loaders compute no scaling with this type: name the type that is meant in rope_type, or remove the key"
	case key == "full_attention" || key == "sliding_attention":
		return "a rotation for each kind of layer, which families of one rotation do not have: write one dictionary without it"
	}
	return "loaders that know it compute something else than those that do not: say it with the keys of the type, or remove it"
}
