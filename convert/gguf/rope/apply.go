package rope

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// scaling are the keys behind "<architecture>.rope." that a saying decides; the
// ones it does not need are taken out.
var scaling = []string{"scaling.type", "scaling.factor", "scaling.original_context_length", "scaling.attn_factor",
	"scaling.yarn_beta_fast", "scaling.yarn_beta_slow", "scaling.yarn_ext_factor", "scaling.yarn_attn_factor", "scaling.yarn_log_multiplier",
	"scaling.finetuned", "scale_linear"}

// plainKeys are the others that may stand there.
var plainKeys = []string{"freq_base", "dimension_count"}

// Apply writes a saying into the metadata of an architecture, in the place of what
// they say of the rotation. Rope keys that are not known, of layers with another
// rotation for example, are an error.
func (s Saying) Apply(h *gguf.Header, arch string) error {
	prefix := arch + ".rope."
	known := map[string]bool{}
	for _, k := range append(plainKeys, scaling...) {
		known[prefix+k] = true
	}
	for _, kv := range h.KVs {
		if strings.HasPrefix(kv.Key, prefix) && !known[kv.Key] {
			return fmt.Errorf("key %q: what it does to the rotation is not known, and changing that is %w", kv.Key, posenc.ErrUnsupported)
		}
	}
	var set []gguf.KV
	number := func(key string, x float64) { set = append(set, gguf.NewFloat32(prefix+key, float32(x))) }
	number("freq_base", s.Base)
	set = append(set, gguf.NewUint32(prefix+"dimension_count", uint32(s.Dim)))
	if s.Scaling != "" {
		set = append(set, gguf.NewText(prefix+"scaling.type", s.Scaling))
	}
	if s.Factor != 0 {
		number("scaling.factor", s.Factor)
	}
	if s.OriginalLength != 0 {
		set = append(set, gguf.NewUint32(prefix+"scaling.original_context_length", uint32(s.OriginalLength)))
	}
	if s.BetaFast != 0 {
		number("scaling.yarn_beta_fast", s.BetaFast)
		number("scaling.yarn_beta_slow", s.BetaSlow)
	}
	if s.Gain != 1 {
		number("scaling.attn_factor", s.Gain)
	}
	keep := map[string]bool{}
	for _, kv := range set {
		keep[kv.Key] = true
	}
	for _, k := range scaling {
		if !keep[prefix+k] {
			h.Remove(prefix + k)
		}
	}
	for _, kv := range set {
		h.Set(kv)
	}
	return nil
}
