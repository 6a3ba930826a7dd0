package ref

import "math"

// Float is what a forward pass computes in: every weight, activation and sum.
type Float interface{ float32 | float64 }

func exp[T Float](x T) T  { return T(math.Exp(float64(x))) }
func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

// wide returns x in float64: x itself where it is that already.
func wide[T Float](x []T) []float64 {
	if same, ok := any(x).([]float64); ok {
		return same
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// narrow rounds what was computed in wide(x) back into x.
func narrow[T Float](x []T, wide []float64) {
	if _, ok := any(x).([]float64); ok {
		return
	}
	for i, v := range wide {
		x[i] = T(v)
	}
}

// round makes numbers of float64 those of T.
func round[T Float](x []float64) {
	if _, ok := any(T(0)).(float64); ok {
		return
	}
	for i, v := range x {
		x[i] = float64(T(v))
	}
}
