package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// llama4: planes of neighbouring coordinates and RMS norms without weights after the
// rotation; layers that do not turn scale their queries by position, the others attend
// within chunks; mixtures of experts, whose weights multiply what they read, beside a
// shared one, and MLPs of another size between.
var llama4 = family.Spec{
	Name: "llama4_text", ModelType: "llama4_text", Architecture: "Llama4ForCausalLM",
	About: "attention within chunks, layers without rotation whose queries are scaled by position, norms of q and k without weights after the rotation",
	Names: family.HFNames.With(func(n *family.Names) {
		n.Gate, n.Up, n.Down = "model.layers.{i}.feed_forward.gate_proj", "model.layers.{i}.feed_forward.up_proj", "model.layers.{i}.feed_forward.down_proj"
		n.Router = "model.layers.{i}.feed_forward.router"
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.feed_forward.experts.gate_up_proj", "model.layers.{i}.feed_forward.experts.down_proj"
		n.SharedGateProj, n.SharedUp = "model.layers.{i}.feed_forward.shared_expert.gate_proj", "model.layers.{i}.feed_forward.shared_expert.up_proj"
		n.SharedDown = "model.layers.{i}.feed_forward.shared_expert.down_proj"
	}),
	Keys: func(k family.Keys) family.Keys {
		k.Inner = []string{"intermediate_size_mlp"}
		return k
	}(family.HFKeys),
	Inner: func(int) int { return 16384 },
	Norm:  family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, Interleaved: true,
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "sigmoid", OnInput: true,
		SharedInner: "intermediate_size", Across: true, Bare: true, Listed: "moe_layers", Step: "interleave_moe_layer_step"},
	Rope: family.RopeDefaults{Theta: 500000},
	Reads: []string{"no_rope_layers", "no_rope_layer_interval", "attention_chunk_size", "layer_types", "use_qk_norm",
		"attn_temperature_tuning", "floor_scale", "attn_scale", "router_jitter_noise"},
	Adjust: llama4Layers,
}

// chunkedLayers is the type of layers that attend within chunks.
const chunkedLayers = "chunked_attention"

// llama4Layers says what each layer's attention does with positions.
func llama4Layers(r *family.Reader, m *family.Model) {
	every := r.SizeOr(4, "no_rope_layer_interval")
	turns, err := r.C.Floats("no_rope_layers")
	r.Fail(err)
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	for key, n := range map[string]int{"no_rope_layers": len(turns), "layer_types": len(kinds)} {
		if n > 0 && n != len(m.Blocks) {
			r.Fail(fmt.Errorf("%s lists %d layers: expected %d", key, n, len(m.Blocks)))
		}
	}
	chunk := 8192
	if r.C.Raw("attention_chunk_size") != nil {
		chunk = 0 // null is none
		if r.C.Has("attention_chunk_size") {
			chunk = r.Size("attention_chunk_size")
		}
	}
	normed, tuned := r.Truth(true, "use_qk_norm"), tuning(r)
	scale := family.QueryScale{Beta: r.FloatOr(0.1, "attn_scale"), Length: float64(r.SizeOr(8192, "floor_scale")), Ahead: 1}
	if r.Err != nil {
		return
	}
	for i, a := range m.Attentions() {
		turning := (i+1)%every != 0
		if len(turns) > 0 {
			turning = turns[i] != 0
		}
		kind := family.FullLayers
		if turning && chunk > 0 {
			kind = chunkedLayers
		}
		if len(kinds) > 0 {
			kind = kinds[i]
		}
		switch {
		case kind == chunkedLayers && chunk == 0:
			r.Fail(family.Unsupported("attention_chunk_size is null, yet layer %d is of %s, at which stock loaders stop; name the size", i, chunkedLayers))
		case kind == chunkedLayers:
			a.Chunk = chunk
		case kind != family.FullLayers:
			r.Fail(family.Unsupported("layer_types[%d] is %q: expected %s or %s", i, kind, chunkedLayers, family.FullLayers))
		}
		switch {
		case turning && normed:
			for _, n := range []**family.Norm{&a.QNorm, &a.KNorm} {
				*n = &family.Norm{Kind: family.RMS, Size: a.QKDim, Eps: m.FinalNorm.Eps}
			}
			a.NormAfter = true
		case !turning:
			a.Rotary = family.Still(a.QKDim)
			if tuned && scale.Beta != 0 {
				s := scale
				a.QueryScale = &s
			}
		}
	}
}

// tuning reads attn_temperature_tuning, which first releases said by a number.
func tuning(r *family.Reader) bool {
	if v, ok, err := r.C.Float("attn_temperature_tuning"); err == nil && ok {
		return v != 0
	}
	return r.Truth(true, "attn_temperature_tuning")
}
