package families

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// gemma: llama with norms whose weight is stored less 1, an embedding times the
// root of the hidden size, and a gated gelu.
var gemma = family.Spec{
	Name: "gemma", ModelType: "gemma", Architecture: "GemmaForCausalLM",
	About: "an embedding times √hidden, gated gelu",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, NormOffset: 1,
	Act: "gelu_tanh", MaxPositions: 8192, HeadDim: 256, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Rope: family.RopeDefaults{Theta: 10000},
	Adjust: func(r *family.Reader, m *family.Model) {
		rootScale(m)
		for i := range m.Blocks {
			if f := m.Blocks[i].MLP(); f.Act == "gelu" {
				// the first releases say gelu and mean the approximation, which stock loaders take for both
				f.Act = "gelu_tanh"
			}
		}
	},
}

// gemma2Names are gemma's with norms before and after both branches.
var gemma2Names = family.HFNames.With(func(n *family.Names) {
	n.AttnOutNorm = "model.layers.{i}.post_attention_layernorm"
	n.MLPNorm, n.MLPOutNorm = "model.layers.{i}.pre_feedforward_layernorm", "model.layers.{i}.post_feedforward_layernorm"
})

// activationKey is where gemma from its second release on says its activation.
var activationKey = func(k family.Keys) family.Keys {
	k.Act = []string{"hidden_activation"}
	return k
}(family.HFKeys)

// gemma3: gemma with norms after both branches too, RMS norms of each query and key
// head, and a window on five of six layers, which turn by a base of their own.
var gemma3 = family.Spec{
	Name: "gemma3_text", ModelType: "gemma3_text", Architecture: "Gemma3ForCausalLM",
	About: "an embedding times √hidden, gated gelu, a rotation for each type of layer",
	Names: gemma2Names.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	}),
	Keys: activationKey, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, NormOffset: 1,
	Act: "gelu_tanh", MaxPositions: 131072, HeadDim: 256, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true},
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: every(6)},
	Rope:   family.RopeDefaults{Theta: 1e6, Sliding: &family.RopeDefaults{Theta: 10000, ThetaKey: "rope_local_base_freq"}},
	Reads:  append([]string{"sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq"}, capKeys...),
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		s.Window.Full = every(r.SizeOr(6, "sliding_window_pattern"))
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		if r.C.Has("attn_logit_softcapping") {
			r.Fail(family.Unsupported("attn_logit_softcapping is set, and stock loaders of this family pass over it; remove the key if the model was made with them"))
		}
		capped(r, m, 256, 0, 0)
	},
}

// gemma2: gemma with norms after both branches too, caps on scores and logits, and a
// window on every other layer, the first among them.
var gemma2 = family.Spec{
	Name: "gemma2", ModelType: "gemma2", Architecture: "Gemma2ForCausalLM",
	About: "an embedding times √hidden, gated gelu",
	Names: gemma2Names, Keys: activationKey, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, NormOffset: 1,
	Act: "gelu_tanh", MaxPositions: 8192, HeadDim: 256, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: every(2)},
	Rope:   family.RopeDefaults{Theta: 10000},
	Reads:  capKeys,
	Adjust: func(r *family.Reader, m *family.Model) { capped(r, m, 256, 50, 30) },
}

// vaultGemma: gemma2 without the norms after the branches.
var vaultGemma = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "vaultgemma", "vaultgemma", "VaultGemmaForCausalLM"
	s.Names = s.Names.With(func(n *family.Names) { n.AttnOutNorm, n.MLPOutNorm = "", "" })
	return s
}(gemma2)

// capKeys are what capped reads.
var capKeys = []string{"query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"}

// capped sets the embedding's factor, the scale of scores, 1/√query_pre_attn_scalar,
// and the caps on scores and logits, null for none.
func capped(r *family.Reader, m *family.Model, scalar, scores, logits float64) {
	rootScale(m)
	scale := 1 / math.Sqrt(factor(r, "query_pre_attn_scalar", scalar))
	bound := func(key string, def float64) float64 {
		if r.C.Raw(key) != nil && !r.C.Has(key) {
			return 0
		}
		v := r.FloatOr(def, key)
		if v < 0 || r.C.Has(key) && !(v > 0) || math.IsInf(v, 0) {
			r.Fail(fmt.Errorf("key %q is %v: expected a positive number, or null for none", key, v))
		}
		return v
	}
	for _, a := range m.Attentions() {
		a.Scale, a.Cap = scale, bound("attn_logit_softcapping", scores)
	}
	m.LogitCap = bound("final_logit_softcapping", logits)
}

// rootScale multiplies the embedding by √hidden, which stock loaders hold in the
// type that they compute in: float32 here.
func rootScale(m *family.Model) { m.EmbedScale = float64(float32(math.Sqrt(float64(m.Hidden)))) }
