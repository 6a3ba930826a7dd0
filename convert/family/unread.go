package family

import (
	"bytes"

	"github.com/pecvt/pecvt/convert/family/config"
)

// unread are keys of other families that change what a layer computes. No family
// of the table reads them, so a checkpoint with one is not what its model_type
// says; neutral is the value that changes nothing, if there is one.
var unread = []struct{ key, neutral string }{
	{"attn_logit_softcapping", ""}, {"final_logit_softcapping", ""}, {"query_pre_attn_scalar", ""}, // gemma2
	{"logit_scale", "1"}, {"use_qk_norm", "false"}, // cohere
	{"embedding_multiplier", "1"}, {"residual_multiplier", "1"}, {"attention_multiplier", ""}, {"logits_scaling", "1"}, // granite
	{"mlp_multiplier", "1"}, {"mlp_multipliers", ""}, {"key_multiplier", "1"}, {"lm_head_multiplier", "1"}, // falcon_h1
	{"scale_emb", "1"}, {"scale_depth", ""}, {"dim_model_base", ""}, // minicpm
	{"clip_qkv", ""}, {"rope_interleaved", "false"},
}

// checkUnread refuses a quantised checkpoint and warns of every key that changes
// the computation elsewhere and that the family passes over.
func checkUnread(r *reader, spec Spec, m *Model) {
	for _, key := range []string{"quantization_config", "compression_config"} {
		if r.C.Has(key) {
			r.Fail(unsupported("key %q: the checkpoint is quantised, and its weights are not the numbers that its tensors hold; use the unquantised checkpoint", key))
			return
		}
	}
	warn := func(key string) {
		m.warn("config.json declares %s (%s), which loaders of family %s do not read, nor does pecvt: a model that was trained with it computes something else here", key, config.Clip(string(r.C.Raw(key)), 40), spec.Name)
	}
	for _, u := range unread {
		if r.C.Has(u.key) && !isNeutral(r.C, u.key, u.neutral) {
			warn(u.key)
		}
	}
	if spec.Window.Key == "" && r.C.Has("sliding_window") && !isNeutral(r.C, "use_sliding_window", "false") {
		warn("sliding_window")
	}
}

// isNeutral reports whether a key's value is the one that changes nothing.
func isNeutral(c *Config, key, neutral string) bool {
	raw := bytes.TrimSpace(c.Raw(key))
	if v, ok, err := c.Float(key); err == nil && ok && neutral == "1" {
		return v == 1
	}
	return neutral != "" && string(raw) == neutral
}
