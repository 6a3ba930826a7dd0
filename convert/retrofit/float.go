package retrofit

import (
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Float is the arithmetic of a computation: float32 in production, float64
// where derivatives are checked.
type Float interface{ float32 | float64 }

// softmax replaces scores by their softmax beside one more score, −∞ for none, and
// returns log Σ exp(score), that one's included.
func softmax[F Float](x []F, sink float64) float64 {
	var top, sum float64
	switch x := any(x).(type) {
	case []float32:
		top = float64(max(tensor.Max32(x), float32(sink)))
		sum = math.Exp(sink-top) + tensor.Exps32(x, float32(top))
		tensor.Scale32(x, float32(1/sum))
	case []float64:
		top = max(slices.Max(x), sink)
		sum = math.Exp(sink - top)
		for i, v := range x {
			e := math.Exp(v - top)
			x[i] = e
			sum += e
		}
		for i := range x {
			x[i] /= sum
		}
	}
	return top + math.Log(sum)
}

// between writes f·(x − y) to dst, which may be either.
func between[F Float](dst, x, y []F, f F) {
	if dst, ok := any(dst).([]float32); ok {
		tensor.Between32(dst, any(x).([]float32), any(y).([]float32), float32(f))
		return
	}
	for j, v := range x {
		dst[j] = f * (v - y[j])
	}
}

// dot is Σ x y, in float64.
func dot[F Float](x, y []F) float64 {
	if x, ok := any(x).([]float32); ok {
		return tensor.Dot32(x, any(y).([]float32))
	}
	var sum float64
	for j, v := range x {
		sum += float64(v) * float64(y[j])
	}
	return sum
}
