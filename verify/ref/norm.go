package ref

import (
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// norm normalises every row of dim numbers of x into y; the two may be the same
// slice.
func (r *Runner) norm(n *family.Norm, x, y []float64, dim int) error {
	weight, err := r.vector(&n.Weight)
	if err != nil {
		return err
	}
	bias, err := r.vector(n.Bias)
	if err != nil {
		return err
	}
	for i := 0; i < len(x); i += dim {
		normalise(n.Kind, n.Eps, x[i:i+dim], y[i:i+dim], weight, bias)
	}
	return nil
}

// normalise is RMS, x / √(mean(x²) + ε) · w, or LayerNorm,
// (x − mean(x)) / √(var(x) + ε) · w + b, of one row.
func normalise(kind family.NormKind, eps float64, x, y, weight, bias []float64) {
	n, mean := float64(len(x)), 0.0
	if kind == family.LayerNorm {
		for _, v := range x {
			mean += v
		}
		mean /= n
	}
	square := 0.0
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	inverse := 1 / math.Sqrt(square/n+eps)
	for i, v := range x {
		y[i] = (v - mean) * inverse * weight[i]
		if bias != nil {
			y[i] += bias[i]
		}
	}
}
