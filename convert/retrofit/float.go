package retrofit

import (
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Float is the arithmetic of a computation: float32 in production, float64
// where derivatives are checked.
type Float interface{ float32 | float64 }

// softmax replaces scores by their softmax beside one more score, −∞ for none, and
// returns log Σ exp(score), that one's included.
func softmax[F Float](x []F, sink float64) float64 {
	top := max(x[0], F(sink))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	sum := math.Exp(sink - float64(top))
	switch x := any(x).(type) {
	case []float32:
		sum += tensor.Exps32(x, float32(top))
		scale := float32(1 / sum)
		for i := range x {
			x[i] *= scale
		}
	case []float64:
		for i, v := range x {
			e := math.Exp(v - float64(top))
			x[i] = e
			sum += e
		}
		for i := range x {
			x[i] /= sum
		}
	}
	return float64(top) + math.Log(sum)
}
