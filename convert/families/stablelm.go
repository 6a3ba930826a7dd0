package families

import "github.com/pecvt/pecvt/convert/family"

// stablelm: llama with layer norms and a quarter of each head rotary;
// use_parallel_residual feeds attention and MLP from one norm.
var stablelm = family.Spec{
	Name: "stablelm", ModelType: "stablelm", Architecture: "StableLmForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_layernorm.norms.{h}", "model.layers.{i}.self_attn.k_layernorm.norms.{h}"
	}),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5, HiddenHeads: true,
	QKVBias: family.Rule{Key: "use_qkv_bias"}, Parallel: family.Rule{Key: "use_parallel_residual"},
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.25}, ReadsPartial: true,
	QKNorm: family.Rule{Key: "qk_layernorm"}, QKNormKind: family.LayerNorm, QKPerHead: family.TensorPerHead,
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		s.SharedNorm = r.BoolOr(false, "use_parallel_residual")
		return s
	},
}
