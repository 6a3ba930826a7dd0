package families

import "github.com/pecvt/pecvt/convert/family"

// nanochat: norms without weights, after the embedding too, and of queries and keys
// after the rotation, which turns the other way round; an MLP of squared relu
// without a gate; a cap on logits.
var nanochat = family.Spec{
	Name: "nanochat", ModelType: "nanochat", Architecture: "NanoChatForCausalLM",
	About: "squared relu, a cap on logits",
	Names: ungated.With(func(n *family.Names) {
		n.EmbedNorm = "model.norm"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
		n.Up, n.Down = "model.layers.{i}.mlp.fc1", "model.layers.{i}.mlp.fc2"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, BareNorms: true, Act: "relu2", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormAfter: true, Backwards: true,
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: []string{"final_logit_softcapping"},
	Adjust: func(r *family.Reader, m *family.Model) {
		if r.C.Raw("final_logit_softcapping") == nil || r.C.Has("final_logit_softcapping") { // null is none
			m.LogitCap = factor(r, "final_logit_softcapping", 15)
		}
	},
}
