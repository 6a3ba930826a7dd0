package families

import (
	"github.com/pecvt/pecvt/convert/family"
)

// lfm3: lfm2 with norms around both branches, a sigmoid gate of each head on attention's
// output, and layers with a window, which turn by a declaration of their own.
var lfm3 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "lfm3", "lfm3", "Lfm3ForCausalLM"
	s.About = "a gate of each head on attention's output, a rotation for each type of layer"
	s.Names = s.Names.With(func(n *family.Names) {
		n.AttnOutNorm, n.MLPOutNorm = "model.layers.{i}.post_operator_norm", "model.layers.{i}.post_ffn_norm"
		n.O, n.OutGate = "model.layers.{i}.self_attn.o_proj", "model.layers.{i}.self_attn.gate_proj"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	})
	s.Keys, s.HeadDim = family.HFKeys, 128
	s.QKVBias, s.OBias = family.Rule{Key: "attention_bias"}, family.Rule{Key: "attention_bias"}
	s.OutGate = &family.GateRule{If: family.Rule{Key: "use_attention_gate", Default: true}, Act: "sigmoid", PerHead: true}
	s.Conv.Taps, s.Conv.Layers = 7, lfm3Convs
	s.Window = family.WindowRule{Key: "sliding_window", Default: 256, ByType: true, Other: "conv", Full: func(layer int) bool { return layer%4 != 0 || layer == 0 }}
	s.Rope = family.RopeDefaults{Theta: 1e6, Sliding: &family.RopeDefaults{Theta: 10000}, Absent: `{"rope_type":"proportional","partial_rotary_factor":0.5}`}
	s.InnerOf, s.Adjust = nil, nil
	s.Reads = []string{"layer_types", "use_sandwich_norm"}
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		if act := r.TextOr("silu", "hidden_act"); act != "silu" {
			r.Fail(family.Unsupported("hidden_act is %q: stock loaders compute silu", act))
		}
		if !r.BoolOr(true, "use_sandwich_norm") {
			s.Names = s.Names.With(func(n *family.Names) { n.AttnOutNorm, n.MLPOutNorm = "", "" })
		}
		return s
	}
	return s
}(lfm2)

// lfm3Convs lists the layers that have a convolution: those of layer_types, or the
// first one and every odd one.
func lfm3Convs(r *family.Reader, layers int) []bool {
	out := make([]bool, layers)
	kinds := r.LayerTypes(layers)
	for i := range out {
		if out[i] = i%2 == 1 || i == 0; kinds != nil {
			out[i] = kinds[i] == "conv"
		}
	}
	return out
}
