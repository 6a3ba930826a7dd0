package families

import (
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// miniCPM3: latent attention whose planes are halves of the turned slice, with
// factors of the embedding, of both branches (over the root of the layers' number)
// and of the logits.
var miniCPM3 = family.Spec{
	Name: "minicpm3", ModelType: "minicpm3", Architecture: "MiniCPM3ForCausalLM",
	Names: latentNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 32768, Tied: true,
	OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Latent: &family.LatentRule{QRank: 768, Rank: 256, Still: 64, Turned: 32, Eps: 1e-6, Bias: family.Rule{Key: "attention_bias"}},
	Rope:   family.RopeDefaults{Theta: 10000, ScoreFactor: true},
	Reads:  []string{"scale_emb", "scale_depth", "dim_model_base"},
	Adjust: func(r *family.Reader, m *family.Model) {
		m.EmbedScale = oneAsNone(factor(r, "scale_emb", 12))
		depth := math.Sqrt(float64(len(m.Blocks)))
		residual := 1.0
		if string(r.C.Raw("scale_depth")) != "null" {
			residual = factor(r, "scale_depth", 1.4) / depth
		}
		for i := range m.Blocks {
			m.Blocks[i].ResidualScale = oneAsNone(residual)
		}
		if string(r.C.Raw("dim_model_base")) != "null" {
			m.LogitScale = oneAsNone(factor(r, "dim_model_base", 256) / float64(m.Hidden))
		}
	},
}
