package rewrite

import (
	"math"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// loaders says who reads a rope type. What a loader of another family or
// age does with it is its own matter; pecvt states what was checked.
func loaders(p posenc.RopeParams) string {
	switch {
	case p.Type == "default":
		return "every loader of the family"
	case p.Type == "llama3" && p.Plain():
		return "loaders that read rope type llama3: transformers 4.43 and later (checked with 4.57.6 and 5.24), llama.cpp of the families whose converter writes its factors (Llama, Mistral), mlx-lm"
	case p.Type == "proportional":
		return "transformers 5 (checked with 5.23); older ones stop at the unknown rope type (" + hint.Spelling + " longrope for them); llama.cpp's converter only warns and turns every plane (" + hint.Layout + " partial for it)"
	case p.Type == "longrope":
		return "transformers 4.43 and later (checked with 5.23) and loaders that read longrope factors for the family"
	}
	return "loaders that read rope type " + p.Type + " (transformers 4.43 and later; most others)"
}

// noteLongrope says where vLLM differs: it takes longrope's attention factor
// from the two lengths and passes over the one that is declared.
func (r *Rewrite) noteLongrope(p posenc.RopeParams) {
	if p.Type != "longrope" {
		return
	}
	own := 1.0
	if s := float64(r.MaxPositions) / float64(p.TrainedLength); s > 1 {
		own = math.Sqrt(1 + math.Log(s)/math.Log(float64(p.TrainedLength)))
	}
	if gain := *p.AttentionFactor; math.Abs(own-gain) > 1e-9 {
		r.note("vLLM passes over attention_factor (%.6g) of longrope and computes %.6g from the lengths: its results differ; transformers reads it", gain, own)
	}
}
