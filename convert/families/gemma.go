package families

import (
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

// rootScale multiplies the embedding by √hidden, which stock loaders hold in the
// type that they compute in: float32 here.
func rootScale(m *family.Model) { m.EmbedScale = float64(float32(math.Sqrt(float64(m.Hidden)))) }
