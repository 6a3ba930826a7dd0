package families

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// longcatFlash: a layer is two blocks of latent attention and an MLP. A mixture beside
// the first one's MLP joins the stream behind the second one's; some of its experts
// pass on their input. Latents are multiplied by the root of the hidden size over
// their rank.
var longcatFlash = family.Spec{
	Name: "longcat_flash", ModelType: "longcat_flash", Architecture: "LongcatFlashForCausalLM",
	About: "two blocks a layer, a mixture that joins the stream a block later, experts that pass on their input",
	Names: family.HFNames.With(func(n *family.Names) {
		const at, mlp, moe = "model.layers.{i}.self_attn.{j}.", "model.layers.{i}.mlps.{j}.", "model.layers.{i}.mlp."
		n.AttnNorm, n.MLPNorm = "model.layers.{i}.input_layernorm.{j}", "model.layers.{i}.post_attention_layernorm.{j}"
		n.QDown, n.QLatentNorm, n.QUp = at+"q_a_proj", at+"q_a_layernorm", at+"q_b_proj"
		n.KVDown, n.KVLatentNorm, n.KVUp = at+"kv_a_proj_with_mqa", at+"kv_a_layernorm", at+"kv_b_proj"
		n.Q, n.K, n.V, n.O = at+"q_proj", "", "", at+"o_proj"
		n.Gate, n.Up, n.Down = mlp+"gate_proj", mlp+"up_proj", mlp+"down_proj"
		n.Router, n.Correction = moe+"router.classifier", moe+"router.e_score_correction_bias"
		n.ExpertGate, n.ExpertUp, n.ExpertDown = moe+"experts.{e}.gate_proj", moe+"experts.{e}.up_proj", moe+"experts.{e}.down_proj"
	}),
	Keys: func(k family.Keys) family.Keys {
		k.Layers, k.Inner = []string{"num_layers"}, []string{"ffn_hidden_size", "intermediate_size"}
		return k
	}(family.HFKeys),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, Halves: true, Interleaved: true,
	OBias: family.Rule{Key: "attention_bias"},
	Latent: &family.LatentRule{QRank: 1536, Rank: 512, Still: 128, Turned: 64, Value: 128, Eps: 1e-6, Scaled: true,
		Bias: family.Rule{Key: "attention_bias"}},
	Experts: &family.ExpertsRule{Count: []string{"n_routed_experts", "num_local_experts"}, TopK: []string{"moe_topk", "num_experts_per_tok"},
		Inner: []string{"expert_ffn_hidden_size", "moe_intermediate_size"}, Score: "softmax", Scale: "routed_scaling_factor",
		Identity: "zero_expert_num", IdentityDefault: 256},
	Rope:  family.RopeDefaults{Theta: 1e7, ScoreFactor: true},
	Reads: []string{"router_bias", "zero_expert_type", "attention_method", "mla_scale_q_lora", "mla_scale_kv_lora", "norm_topk_prob"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "routed_scaling_factor")
		onlyValue(r, "zero_expert_type", "identity")
		onlyValue(r, "attention_method", "MLA")
		must(r, "mla_scale_q_lora", "mla_scale_kv_lora")
		refuse(r, "router_bias", "loaders of this family store a bias and pass over it")
		refuse(r, "norm_topk_prob", "loaders of this family do not divide the experts' weights by their sum")
		return s
	},
	Adjust: func(_ *family.Reader, m *family.Model) {
		for i := range m.Blocks {
			x := m.Blocks[i].Shortcut
			if x == nil {
				continue
			}
			for e := range x.Identity { // stock writers store two of their matrices, which nothing reads
				for _, l := range []family.Linear{x.Each[0].Gate, x.Each[0].Up} {
					m.Ignored = append(m.Ignored, strings.Replace(l.Weight.Tensor, ".experts.0.", fmt.Sprintf(".experts.%d.", len(x.Each)+e), 1))
				}
			}
		}
	},
}
