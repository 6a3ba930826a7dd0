package evidence

import (
	"regexp"
	"strconv"
	"strings"
)

// passed are tensors that stock loaders pass over and that carry no weight of the
// model, by their names.
var passed = []struct {
	name *regexp.Regexp
	// why is empty where nobody needs to be told: they are computed from the
	// configuration.
	why string
}{
	{regexp.MustCompile(`(^|\.)rotary(_pos)?(_emb|_embedding|_embs)?\.(\w*inv_freq|cos_cached|sin_cached|cos|sin|freqs_cis|_\w+)$`), ""},
	{regexp.MustCompile(`(^|\.)(attention|attn|self_attn|self_attention)\.(bias_mask|masked_bias|causal_mask)$`), ""},
	{regexp.MustCompile(`\.(k|v|q|kv|prob|p|k_cache|v_cache)_(scale|zero_point)$|\.(k|v|q|qkv)_proj\.(k|v|q|output)_(scale|zero_point)$|\.kv_cache_scale$|\.kv_scale$`),
		"scales for a cache of keys and values in 8 bits, which serve that cache alone"},
	{regexp.MustCompile(`(^|\.)position_ids$`), ""},
	{regexp.MustCompile(`^v_head\.`), "a value head, which serves training alone"},
	{regexp.MustCompile(`^(model\.|transformer\.)?(mtp|mtp_layers|mtp_heads?|mtp_block|nextn|medusa|medusa_heads?)\.`),
		"heads that predict several tokens at once, which serve speculative decoding"},
}

// Passed reports whether a tensor carries no weight of the model, and why where a
// user should know.
func Passed(name string) (why string, ok bool) {
	for _, p := range passed {
		if p.name.MatchString(name) {
			return p.why, true
		}
	}
	return "", false
}

// Beyond reports whether a tensor is of a layer past the last one, where the
// configuration says that such layers predict several tokens (DeepSeek's way).
func Beyond(name string, layers, extra int) (why string, ok bool) {
	if extra <= 0 {
		return "", false
	}
	_, rest, found := strings.Cut("."+name, ".layers.")
	number, _, more := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	if !found || !more || err != nil || i < layers || i >= layers+extra {
		return "", false
	}
	return "layers past the last one that predict several tokens at once, which serve speculative decoding", true
}

var adapterName = regexp.MustCompile(`(^|\.)(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|ia3_l|hada_w\d_[ab]|prompt_embeddings|adapter\w*|oft_[rs]|vera_lambda_[bd]|modules_to_save)(\.|$)|^base_model\.model\.`)

// attached are the names that an adapter has where it was saved with its base.
var attached = regexp.MustCompile(`(^|\.)(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|base_layer|modules_to_save)(\.|$)`)

func isAdapter(name string) bool { return adapterName.MatchString(name) }
