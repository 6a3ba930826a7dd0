package families

import "github.com/pecvt/pecvt/convert/family"

// latentNames are the names of DeepSeek's latent attention.
var latentNames = family.HFNames.With(namesOfLatents)

func namesOfLatents(n *family.Names) {
	n.K, n.V = "", ""
	n.QDown, n.QLatentNorm, n.QUp = "model.layers.{i}.self_attn.q_a_proj", "model.layers.{i}.self_attn.q_a_layernorm", "model.layers.{i}.self_attn.q_b_proj"
	n.KVDown, n.KVLatentNorm, n.KVUp = "model.layers.{i}.self_attn.kv_a_proj_with_mqa", "model.layers.{i}.self_attn.kv_a_layernorm", "model.layers.{i}.self_attn.kv_b_proj"
}

// youtu: latent attention as DeepSeek V3's, whose norms of latents have an ε of
// their own whatever rms_norm_eps says, with a plain MLP.
var youtu = family.Spec{
	Name: "youtu", ModelType: "youtu", Architecture: "YoutuForCausalLM",
	Names: latentNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 131072, Tied: true,
	OBias: family.Rule{Key: "attention_bias"},
	Latent: &family.LatentRule{QRank: 1536, Rank: 512, Still: 128, Turned: 64, Value: 128, Eps: 1e-6,
		Bias: family.Rule{Key: "attention_bias"}},
	Rope: family.RopeDefaults{Theta: 10000, ScoreFactor: true}, Variant: interleavedByKey, Reads: []string{"rope_interleave"},
}

// interleavedByKey: planes are of neighbouring coordinates unless rope_interleave is
// false.
func interleavedByKey(r *family.Reader, s family.Spec) family.Spec {
	s.Interleaved = r.BoolOr(true, "rope_interleave")
	return s
}
