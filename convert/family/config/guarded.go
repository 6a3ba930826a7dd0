package config

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Guarded is a key that changes what is computed unless it has a neutral value.
type Guarded struct {
	Key string
	// Neutral are the values that change nothing, as JSON; "null" is one of them
	// only where loaders take it so.
	Neutral []string
	// Means says what any other value asks for, and Advice what to do.
	Means, Advice string
	// Foreign: loaders of the families that do not read it pass over it, so that a
	// warning is enough.
	Foreign bool
}

const (
	causalAdvice  = "causal models alone are computed here: use the checkpoint as its embedding program does, or set the key to what a causal model has if that is what it is"
	foreignMeans  = "a part of other families"
	perLayer      = "layers that differ from each other"
	foreignAdvice = "use the family it is of, or remove the key if the model was trained without it"
)

// guarded holds what transformers 5.24 computes with in any family (is_causal of
// its masks, per_layer_config of its configurations), what embedding and vision
// programs ask of these families, and the parts of other families that change a
// layer's formula.
var guarded = []Guarded{
	// create_causal_mask reads it by getattr(config, "is_causal", True): null is false
	{Key: "is_causal", Neutral: []string{"true"}, Means: "attention in both directions, which transformers 5.2 and later compute in every decoder family (null is false there)", Advice: causalAdvice},
	{Key: "use_bidirectional_attention", Neutral: []string{"false", "null"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "bidirectional", Neutral: []string{"false", "null"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "is_bidirectional", Neutral: []string{"false", "null"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "bidirectional_attention", Neutral: []string{"false", "null"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "causal", Neutral: []string{"true"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "causal_attention", Neutral: []string{"true"}, Means: "attention in both directions", Advice: causalAdvice},
	{Key: "attention_type", Neutral: []string{`"causal"`, `"full"`, `"full_attention"`, "null"}, Means: "another kind of attention", Advice: causalAdvice},
	{Key: "pooling", Neutral: []string{"null"}, Means: "an embedding of the whole text", Advice: causalAdvice},
	{Key: "per_layer_config", Neutral: []string{"{}", "null"}, Means: perLayer + ", which transformers 5 builds from it in every family", Advice: "such models are not read; remove the key if all layers are alike"},
	{Key: "block_configs", Neutral: []string{"[]", "null"}, Means: perLayer, Advice: "such models are not read; remove the key if all layers are alike"},
	{Key: "attention_chunk_size", Neutral: []string{"null"}, Means: "attention within chunks", Advice: "use a full or a sliding window (layer_types, sliding_window), or remove the key if the model was trained without chunks"},
	{Key: "pruned_heads", Neutral: []string{"{}", "null"}, Means: "heads that are taken out", Advice: "save the model once with them removed, or remove the key"},
	{Key: "is_encoder_decoder", Neutral: []string{"false", "null"}, Means: "an encoder beside the decoder", Advice: "decoders alone are read"},
	{Key: "add_cross_attention", Neutral: []string{"false", "null"}, Means: "attention to an encoder", Advice: "decoders alone are read"},
	{Key: "cross_attention_hidden_size", Neutral: []string{"null"}, Means: "attention to an encoder", Advice: "decoders alone are read"},
	{Key: "cross_attention_layers", Neutral: []string{"[]", "null"}, Means: "attention to an encoder", Advice: "decoders alone are read"},
	{Key: "use_logn_attn", Neutral: []string{"false", "null"}, Means: "queries scaled by the logarithm of the position", Advice: foreignAdvice},
	{Key: "use_dynamic_ntk", Neutral: []string{"false", "null"}, Means: "a base that changes with the length", Advice: "say it as rope type \"dynamic\" in rope_scaling"},
	{Key: "use_mrope", Neutral: []string{"false", "null"}, Means: "positions of several axes", Advice: "text alone is computed: remove the key if that is meant"},
	{Key: "position_embedding_type", Neutral: []string{`"rope"`, `"rotary"`, `"alibi"`, `"absolute"`, "null"}, Means: "another positional encoding", Advice: foreignAdvice},
	{Key: "scale_attn_weights", Neutral: []string{"true", "null"}, Means: "scores without their scale", Advice: foreignAdvice},
	{Key: "scale_attn_by_inverse_layer_idx", Neutral: []string{"false", "null"}, Means: "scores divided by the layer's number", Advice: foreignAdvice},
	{Key: "apply_residual_connection_post_layernorm", Neutral: []string{"false", "null"}, Means: "residuals of the normalised stream", Advice: foreignAdvice, Foreign: true},
	{Key: "full_attn_mod", Neutral: []string{"1", "null"}, Means: "full attention in some layers alone", Advice: foreignAdvice, Foreign: true},
	{Key: "interpolate_factor", Neutral: []string{"1", "null"}, Means: "interpolated positions", Advice: "say it as rope type \"linear\" in rope_scaling", Foreign: true},
	{Key: "rotary_scaling_factor", Neutral: []string{"1", "null"}, Means: "interpolated positions", Advice: "say it as rope type \"linear\" in rope_scaling"},
	{Key: "mlp_type", Neutral: []string{`"default"`, "null"}, Means: "another MLP", Advice: foreignAdvice, Foreign: true},
	{Key: "norm_type", Neutral: []string{`"layer_norm"`, `"layernorm"`, `"rms_norm"`, `"rmsnorm"`, "null"}, Means: "another norm", Advice: foreignAdvice, Foreign: true},
	{Key: "layer_types", Neutral: []string{"null"}, Means: "layers of several kinds", Advice: "remove the key if all layers have full attention"},
	{Key: "no_rope_layers", Neutral: []string{"null", "[]"}, Means: "layers without rotation", Advice: foreignAdvice, Foreign: true},
	{Key: "no_rope_layer_interval", Neutral: []string{"null"}, Means: "layers without rotation", Advice: foreignAdvice, Foreign: true},
	{Key: "qk_layernorm", Neutral: []string{"false", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "use_qk_norm", Neutral: []string{"false", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true}, // cohere
	{Key: "logit_scale", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "attn_logit_softcapping", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true}, // gemma2
	{Key: "final_logit_softcapping", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "query_pre_attn_scalar", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "embedding_multiplier", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true}, // granite
	{Key: "residual_multiplier", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "attention_multiplier", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "logits_scaling", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "mlp_multiplier", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true}, // falcon_h1
	{Key: "mlp_multipliers", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "key_multiplier", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "lm_head_multiplier", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "scale_emb", Neutral: []string{"1", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true}, // minicpm
	{Key: "scale_depth", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "dim_model_base", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "clip_qkv", Neutral: []string{"null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "rope_interleaved", Neutral: []string{"false", "null"}, Means: foreignMeans, Advice: foreignAdvice, Foreign: true},
	{Key: "sliding_window", Neutral: []string{"null", "0"}, Means: "a window that loaders of some families have", Advice: foreignAdvice, Foreign: true},
	{Key: "sliding_window_pattern", Neutral: []string{"null"}, Means: "a window on some layers", Advice: foreignAdvice, Foreign: true},
	{Key: "use_sliding_window", Neutral: []string{"null", "false"}, Means: "a window on some layers", Advice: foreignAdvice, Foreign: true},
	{Key: "max_window_layers", Neutral: []string{"null"}, Means: "a window on some layers", Advice: foreignAdvice, Foreign: true},
}

// GuardedKeys lists the keys, for documents.
func GuardedKeys() []Guarded { return guarded }

// FindGuarded looks a key up.
func FindGuarded(key string) (Guarded, bool) {
	i := slices.IndexFunc(guarded, func(g Guarded) bool { return g.Key == key })
	if i < 0 {
		return Guarded{}, false
	}
	return guarded[i], true
}

// IsNeutral reports whether a value changes nothing.
func (g Guarded) IsNeutral(raw json.RawMessage) bool {
	return slices.ContainsFunc(g.Neutral, func(n string) bool { return Same(json.RawMessage(n), raw) })
}

// Same reports whether two values are one: numbers by their value, all else by
// their JSON.
func Same(a, b json.RawMessage) bool {
	var x, y float64
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && !isNull(a) && !isNull(b) {
		return x == y
	}
	var p, q bytes.Buffer
	return json.Compact(&p, a) == nil && json.Compact(&q, b) == nil && bytes.Equal(p.Bytes(), q.Bytes())
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// IsEmpty reports whether a value says nothing: null, "", [] or {}.
func IsEmpty(raw json.RawMessage) bool {
	var b bytes.Buffer
	return json.Compact(&b, raw) == nil && slices.Contains([]string{"null", `""`, "[]", "{}"}, b.String())
}
