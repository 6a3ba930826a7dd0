package rewrite

import (
	"math"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// loaders says, per rope type, who reads it. What a loader of another family or
// age does with it is its own matter; pecvt states what was checked.
func loaders(ropeType string) string {
	switch ropeType {
	case "default":
		return "every loader of the family"
	case "linear", "yarn", "llama3", "dynamic":
		return "loaders that read rope type " + ropeType + " (transformers 4.43 and later; most others)"
	case "proportional":
		return "transformers 5 (checked with 5.23); older ones stop at the unknown rope type (" + hint.Spelling + " longrope for them); llama.cpp's converter only warns and turns every plane (" + hint.Layout + " partial for it)"
	default:
		return "transformers 4.43 and later (checked with 5.23) and loaders that read longrope factors for the family"
	}
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
