package families

import (
	"slices"
	"strconv"

	"github.com/pecvt/pecvt/convert/family"
)

// gemma4: gemma3 with norm weights as they are, norms of values without weights,
// scores as they are, heads of another size in layers of full attention, which turn a
// quarter of it, a number that multiplies each layer, embeddings by layer or mixtures of
// experts beside the MLPs, and last layers that meet the keys and values of an earlier one.
var gemma4 = family.Spec{
	Name: "gemma4_text", ModelType: "gemma4_text", Architecture: "Gemma4ForCausalLM",
	About: "an embedding times √hidden, gated gelu, a rotation and a head size for each type of layer, keys and values of another layer",
	Names: gemma2Names.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
		n.Scalar = "model.layers.{i}.layer_scalar"
		n.ByLayer, n.ByLayerProj, n.ByLayerNorm = "model.embed_tokens_per_layer", "model.per_layer_model_projection", "model.per_layer_projection_norm"
		n.PerLayerGate, n.PerLayerOut = "model.layers.{i}.per_layer_input_gate", "model.layers.{i}.per_layer_projection"
		n.PerLayerNorm = "model.layers.{i}.post_per_layer_input_norm"
		n.Router, n.RouterNorm = "model.layers.{i}.router.proj", "model.layers.{i}.router.scale"
		n.ExpertScales = "model.layers.{i}.router.per_expert_scale"
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.experts.gate_up_proj", "model.layers.{i}.experts.down_proj"
		n.FeedNorm, n.ExpertsNorm = "model.layers.{i}.post_feedforward_layernorm_1", "model.layers.{i}.pre_feedforward_layernorm_2"
		n.ExpertsOut = "model.layers.{i}.post_feedforward_layernorm_2"
	}),
	Keys: activationKey, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6,
	Act: "gelu_tanh", MaxPositions: 131072, HeadDim: 256, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, ValueNorm: true,
	HeadsOf: gemma4Heads,
	InnerAt: func(r *family.Reader, layer, inner int) int {
		if r.BoolOr(false, "use_double_wide_mlp") && layer >= gemma4Own(r) {
			return 2 * inner
		}
		return inner
	},
	Experts: &family.ExpertsRule{Count: []string{"num_experts"}, TopK: []string{"top_k_experts"}, Inner: expertInner,
		Score: "softmax", Normalise: family.Rule{Always: true}, Bare: true, Beside: true},
	ByLayer: &family.ByLayerRule{Size: "hidden_size_per_layer_input", Vocab: "vocab_size_per_layer_input", Default: 256},
	Window:  family.WindowRule{Key: "sliding_window", Default: 512, ByType: true},
	Rope: family.RopeDefaults{Theta: 1e6, Sliding: &family.RopeDefaults{Theta: 10000},
		Absent: `{"rope_type":"proportional","partial_rotary_factor":0.25}`},
	RopeTypes: []string{"default", "proportional", "linear", "dynamic", "yarn", "llama3"}, // longrope asks for one head size, at which loaders stop
	Reads:     gemma4Keys,
	Variant:   gemma4Variant,
	Adjust:    gemma4Adjust,
}

// gemma4Unified: gemma4 without embeddings by layer.
var gemma4Unified = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "gemma4_unified_text", "gemma4_unified_text", "Gemma4UnifiedForCausalLM"
	s.About = "an embedding times √hidden, gated gelu, a rotation and a head size for each type of layer"
	s.Names = s.Names.With(func(n *family.Names) {
		n.ByLayer, n.ByLayerProj, n.ByLayerNorm, n.PerLayerGate, n.PerLayerOut, n.PerLayerNorm = "", "", "", "", "", ""
		n.Router, n.RouterNorm, n.ExpertScales, n.ExpertGateUp, n.ExpertDown = "", "", "", "", ""
		n.FeedNorm, n.ExpertsNorm, n.ExpertsOut = "", "", ""
	})
	s.ByLayer, s.Experts = nil, nil
	return s
}(gemma4)

var gemma4Keys = []string{"per_layer_config", "global_head_dim", "num_global_key_value_heads", "attention_k_eq_v", "num_kv_shared_layers",
	"use_double_wide_mlp", "final_logit_softcapping",
	"enable_moe_block", "num_experts", "top_k_experts", "moe_intermediate_size", // the latter ones of that mixture alone
	"expert_intermediate_size",    // of older files of it
	"use_bidirectional_attention"} // refused where it asks for more

func gemma4Variant(r *family.Reader, s family.Spec) family.Spec {
	layers := r.Size("num_hidden_layers")
	if !r.BoolOr(false, "enable_moe_block") {
		s.Experts = nil
	}
	if r.TextOr("", "use_bidirectional_attention") == "all" {
		r.Fail(family.Unsupported("use_bidirectional_attention is all: tokens that see those after them"))
	}
	s.Window.Full = func(layer int) bool { return (layer+1)%6 == 0 || layer == layers-1 }
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	if len(kinds) > 0 && kinds[len(kinds)-1] != family.FullLayers {
		r.Fail(family.Unsupported("layer_types ends in %s: loaders of this family give the last layer full attention all the same; write %s", kinds[len(kinds)-1], family.FullLayers))
	}
	return s
}

// gemma4Own is the number of layers that have keys and values of their own.
func gemma4Own(r *family.Reader) int {
	return r.Size("num_hidden_layers") - r.SizeOrZero("num_kv_shared_layers", 0)
}

// gemma4Heads are the heads of a layer: per_layer_config says what differs, or the
// older global_head_dim and num_global_key_value_heads for layers of full attention.
func gemma4Heads(r *family.Reader, layer int, sliding bool, h family.HeadSizes) family.HeadSizes {
	if r.C.Has("per_layer_config") {
		all, err := r.C.Object.Object("per_layer_config")
		r.Fail(err)
		if err != nil {
			return h
		}
		own, err := all.Object(strconv.Itoa(layer))
		r.Fail(err)
		if err != nil || own == nil {
			return h
		}
		for _, key := range own.Keys() {
			n, ok, err := own.Int(key)
			r.Fail(err)
			switch {
			case !ok || n <= 0 || !slices.Contains([]string{"head_dim", "num_key_value_heads"}, key):
				r.Fail(family.Unsupported("per_layer_config[%d]: key %q (%s): expected head_dim or num_key_value_heads", layer, key, own.Raw(key)))
			case key == "head_dim":
				h.QK, h.V = n, n
			default:
				h.KVHeads = n
			}
		}
		return h
	}
	if !sliding {
		h.QK = r.SizeOr(512, "global_head_dim")
		h.V = h.QK
		if r.BoolOr(false, "attention_k_eq_v") {
			h.KVHeads = r.SizeOr(h.KVHeads, "num_global_key_value_heads")
		}
	}
	return h
}

// gemma4Adjust sets the scale of scores and the factors, takes values of the keys'
// projection in layers of full attention with attention_k_eq_v, and gives the last
// layers the keys and values of the last one of their type that has its own.
func gemma4Adjust(r *family.Reader, m *family.Model) {
	rootScale(m)
	if r.C.Has("final_logit_softcapping") {
		m.LogitCap = factor(r, "final_logit_softcapping", 0)
	}
	same, first := r.BoolOr(false, "attention_k_eq_v"), gemma4Own(r)
	last := map[bool]int{}
	for i, a := range m.Attentions() {
		a.Scale = 1
		full := a.Window == 0
		if i < first {
			last[full] = i
			if same && full {
				a.V = a.K
			}
			continue
		}
		from, ok := last[full]
		if !ok {
			r.Fail(family.Unsupported("num_kv_shared_layers leaves no layer of %d's type with keys and values of its own", i))
			return
		}
		a.KVLayer = &from
		a.K, a.V, a.KNorm, a.VNorm = family.Linear{}, family.Linear{}, nil, nil
	}
}
