package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// mimoV2Flash: DeepSeek V3's mixtures without a shared expert; values of their own
// size, times a factor. Layers with a window have twice as many key/value heads,
// attention sinks, and turn by a base of their own.
var mimoV2Flash = family.Spec{
	Name: "mimo_v2_flash", ModelType: "mimo_v2_flash", Architecture: "MiMoV2FlashForCausalLM",
	About: "attention sinks and twice the key/value heads in layers with a window; values of their own size, times a factor",
	Names: mixtureNames.With(func(n *family.Names) {
		n.Correction = "model.layers.{i}.mlp.gate.e_score_correction_bias"
		n.Sinks = "model.layers.{i}.self_attn.attention_sink_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 192,
	QKVBias: family.Rule{Key: "attention_bias"},
	Experts: func() *family.ExpertsRule {
		x := noaux("n_routed_experts", "num_local_experts")
		x.Shared, x.Types, x.FirstDefault = "", "mlp_layer_types", 1
		return x
	}(),
	Window:       family.WindowRule{Key: "sliding_window", Default: 129, ByType: true, Full: func(layer int) bool { return layer == 0 || layer%6 == 5 }},
	Rope:         family.RopeDefaults{Theta: 5e6, Partial: 0.334, Sliding: &family.RopeDefaults{Theta: 10000, Partial: 0.334, ThetaKey: "swa_rope_theta"}},
	ReadsPartial: true,
	Reads:        append([]string{"v_head_dim", "attention_value_scale", "sliding_window_size", "attention_chunk_size"}, mimoPublished...),
	HeadsOf: func(r *family.Reader, _ int, sliding bool, h family.HeadSizes) family.HeadSizes {
		if h.V = r.SizeOr(128, "v_head_dim"); sliding {
			h.KVHeads *= 2
		}
		return h
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		scale := 0.707
		if r.C.Raw("attention_value_scale") != nil {
			if scale = 1; r.C.Has("attention_value_scale") { // null is none
				scale = factor(r, "attention_value_scale", scale)
			}
		}
		window := 0 // loaders see as many keys besides the query
		if r.Present([]string{"sliding_window_size"}) != "" {
			window = r.Size("sliding_window_size") + 1
		}
		for _, a := range m.Attentions() {
			a.ValueScale = oneAsNone(scale)
			if a.Window == 0 {
				a.Sinks = nil
			} else if window > 0 {
				a.Window = window
			}
		}
		for _, kind := range []string{family.FullLayers, family.SlidingLayers} {
			dict := "rope_parameters." + kind
			if !r.C.Has(dict) || r.C.Has(dict+".partial_rotary_factor") {
				continue
			}
			of := r.TextOr(r.TextOr("default", dict+".type"), dict+".rope_type")
			if top := r.FloatOr(0.334, "partial_rotary_factor"); of != "default" || top != 0.334 {
				r.Fail(family.Unsupported("%s is of type %s and has no partial_rotary_factor: stock loaders take 1 where the type is not default, else 0.334 whatever the top level says; write it", dict, of))
			}
		}
		mimoAgrees(r, m)
	},
}

// mimoPublished are keys of published configurations that stock loaders pass over.
var mimoPublished = []string{"layernorm_epsilon", "swa_head_dim", "swa_v_head_dim", "swa_num_attention_heads", "swa_num_key_value_heads", "hybrid_block_size",
	"hybrid_layer_pattern", "moe_layer_freq", "add_full_attention_sink_bias", "add_swa_attention_sink_bias", "scoring_func", "topk_method"}

// mimoAgrees refuses what published configurations say otherwise than stock loaders
// compute, which pass over it.
func mimoAgrees(r *family.Reader, m *family.Model) {
	numbers := func(key string, want ...float64) {
		var got []float64
		if v, ok, err := r.C.Float(key); ok && err == nil {
			got = []float64{v}
		} else if got, err = r.C.Floats(key); got == nil || err != nil {
			return // absent, or no numbers: the loaders' own values stand
		}
		if !slices.Equal(got, want) {
			r.Fail(family.Unsupported("%s is %v, which loaders of this family pass over: they take %v; write that", key, got, want))
		}
	}
	full, window := m.Blocks[0].Attn(), m.Blocks[0].Attn()
	var pattern, mixed []float64
	for i, a := range m.Attentions() {
		one := map[bool]float64{true: 1}
		pattern, mixed = append(pattern, one[a.Window > 0]), append(mixed, one[m.Blocks[i].Mixture() != nil])
		if a.Window > 0 {
			window = a
		} else {
			full = a
		}
	}
	numbers("hybrid_layer_pattern", pattern...)
	numbers("moe_layer_freq", mixed...)
	numbers("layernorm_epsilon", m.FinalNorm.Eps)
	numbers("swa_head_dim", float64(window.QKDim))
	numbers("swa_v_head_dim", float64(window.VDim))
	numbers("swa_num_attention_heads", float64(window.Heads))
	if window.Window > 0 {
		numbers("swa_num_key_value_heads", float64(window.KVHeads))
	}
	if !r.C.Has("rope_parameters") {
		numbers("rope_theta", 5e6)
		numbers("swa_rope_theta", 10000)
		numbers("partial_rotary_factor", 0.334)
	}
	for key, want := range map[string]bool{"add_full_attention_sink_bias": full.Sinks != nil, "add_swa_attention_sink_bias": true} {
		if got := r.BoolOr(want, key); got != want {
			r.Fail(family.Unsupported("%s is %v, which loaders of this family pass over; write %v", key, got, want))
		}
	}
	for key, want := range map[string]string{"scoring_func": "sigmoid", "topk_method": "noaux_tc"} {
		if got := r.TextOr(want, key); got != want {
			r.Fail(family.Unsupported("%s is %q, which loaders of this family pass over; write %q", key, got, want))
		}
	}
}
