package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// ariaText: llama with mixtures whose experts lie in one tensor, (in, out), and
// whose softmax is over those chosen.
var ariaText = family.Spec{
	Name: "aria_text", ModelType: "aria_text", Architecture: "AriaTextForCausalLM",
	Names: sharedExpert(family.HFNames, "model.layers.{i}.mlp.shared_experts").With(func(n *family.Names) {
		n.Router = "model.layers.{i}.mlp.router"
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.mlp.experts.fc1", "model.layers.{i}.mlp.experts.fc2"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Experts: &family.ExpertsRule{Count: []string{"moe_num_experts"}, TopK: []string{"moe_topk"}, Inner: wholeInner, Score: "softmax",
		Normalise: family.Rule{Always: true}, Shared: "moe_num_shared_experts", Across: true},
	Rope: family.RopeDefaults{Theta: 10000},
	Reads: []string{"mlp_bias", "moe_intermediate_size",
		"moe_z_loss_coeff", "moe_aux_loss_coeff"}, // of training alone
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "moe_num_shared_experts")
		refuse(r, "mlp_bias", "biases of the shared expert")
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		if own := r.SizeOr(r.Size("intermediate_size"), "moe_intermediate_size"); r.Err == nil && own != r.Size("intermediate_size") {
			r.Fail(family.Unsupported("moe_intermediate_size is %d and intermediate_size %d, by which stock loaders size experts; set both alike", own, r.Size("intermediate_size")))
		}
		for i := range m.Blocks {
			for e := range m.Blocks[i].Mixture().Each {
				m.Blocks[i].Mixture().Each[e].Act = "silu" // whatever hidden_act says of the shared one
			}
		}
	},
}

// dbrx: layer norms without biases, bounded q, k and v in one matrix, and mixtures
// whose experts lie in three matrices; its sizes are in dictionaries of their own.
var dbrx = family.Spec{
	Name: "dbrx", ModelType: "dbrx", Architecture: "DbrxForCausalLM",
	Names: family.Names{
		Embed: "transformer.wte", FinalNorm: "transformer.norm_f", Head: "lm_head",
		AttnNorm: "transformer.blocks.{i}.norm_attn_norm.norm_1", MLPNorm: "transformer.blocks.{i}.norm_attn_norm.norm_2",
		QKV: "transformer.blocks.{i}.norm_attn_norm.attn.Wqkv", O: "transformer.blocks.{i}.norm_attn_norm.attn.out_proj",
		Router:     "transformer.blocks.{i}.ffn.router.layer",
		ExpertGate: "transformer.blocks.{i}.ffn.experts.mlp.w1", ExpertUp: "transformer.blocks.{i}.ffn.experts.mlp.v1",
		ExpertDown: "transformer.blocks.{i}.ffn.experts.mlp.w2",
	},
	Keys: family.Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"d_model", "hidden_size"}, Layers: []string{"n_layers", "num_hidden_layers"},
		Heads: []string{"n_heads", "num_attention_heads"}, KVHeads: []string{"attn_config.kv_n_heads", "num_key_value_heads"},
		MaxPositions: []string{"max_seq_len", "max_position_embeddings"}, Act: []string{"ffn_config.ffn_act_fn.name"},
	},
	Norm: family.LayerNorm, NoNormBias: true, EpsKey: "layer_norm_epsilon", Eps: 1e-5, Act: "silu", MaxPositions: 2048, HiddenHeads: true,
	Inner: func(hidden int) int { return hidden }, // no layer has an MLP
	Experts: &family.ExpertsRule{Count: []string{"ffn_config.moe_num_experts"}, TopK: []string{"ffn_config.moe_top_k"}, Inner: []string{"ffn_config.ffn_hidden_size"},
		Score: "softmax", Each: true},
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: []string{"attn_config", "ffn_config", "resid_pdrop", "emb_pdrop"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "attn_config.kv_n_heads")
		if !r.C.Has("rope_parameters") && !r.C.Has("rope_theta") {
			r.Fail(family.Unsupported("there is no rope_theta outside of attn_config, and loaders differ in what they turn by then: transformers 4 by attn_config's (%s), 5.24 by 10000; write rope_theta beside attn_config", r.C.Raw("attn_config.rope_theta")))
		}
		x := *s.Experts
		if key := "ffn_config.moe_normalize_expert_weights"; r.C.Raw(key) == nil || r.C.Has(key) { // null is none
			if p := r.FloatOr(1, key); p != 1 {
				r.Fail(family.Unsupported("moe_normalize_expert_weights is %v: weights divided by a norm other than their sum", p))
			}
			x.Normalise = family.Rule{Always: true}
		}
		s.Experts = &x
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		if theta := r.FloatOr(m.Rope.Theta, "attn_config.rope_theta"); theta != m.Rope.Theta {
			r.Warn("attn_config.rope_theta is %v and %v is what rope_parameters or rope_theta say, by which transformers 5.24 turns, and so does pecvt; transformers 4 turns by the former", theta, m.Rope.Theta)
		}
		if r.C.Has("attn_config.clip_qkv") {
			bound := factor(r, "attn_config.clip_qkv", 1)
			for _, a := range m.Attentions() {
				a.Clip = bound
			}
		}
	},
}

// phiMoE: layer norms and biases beside mixtures chosen by a sparse mixer.
var phiMoE = family.Spec{
	Name: "phimoe", ModelType: "phimoe", Architecture: "PhimoeForCausalLM",
	Names: mixtralNames, Norm: family.LayerNorm, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, HeadBias: family.Rule{Key: "lm_head_bias"},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "sparsemixer"},
	Window:  family.WindowRule{Key: "sliding_window"},
	Rope:    family.RopeDefaults{Theta: 1e6, Mscale: true}, RopeTypes: []string{"default", "longrope"},
	Reads: []string{"router_jitter_noise", "input_jitter_noise"}, // the latter of training alone
	Adjust: func(r *family.Reader, m *family.Model) {
		if m.Rope.Type == "longrope" && !slices.Equal(m.Rope.ShortFactor, m.Rope.LongFactor) {
			r.Warn("transformers 5.24 turns by short_factor at every length in this family; others by long_factor beyond %d positions, as does pecvt", m.TrainedLength)
		}
		for i := range m.Blocks {
			router := &m.Blocks[i].Mixture().Router
			if router.Jitter = r.FloatOr(0.01, "router_jitter_noise"); router.Jitter < 0 {
				r.Fail(family.Unsupported("router_jitter_noise is %v: expected a number from 0 on", router.Jitter))
			}
			if router.TopK != 2 {
				r.Fail(family.Unsupported("num_experts_per_tok is %d: the sparse mixer chooses 2", router.TopK))
			}
		}
	},
}
