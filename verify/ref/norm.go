package ref

import "github.com/pecvt/pecvt/convert/family"

// norm normalises every row of dim numbers of x into y; the two may be the same
// slice.
func (r *RunnerOf[T]) norm(n *family.Norm, x, y []T, dim int) error {
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
func normalise[T Float](kind family.NormKind, eps float64, x, y, weight, bias []T) {
	n, mean := T(len(x)), T(0)
	if kind == family.LayerNorm {
		for _, v := range x {
			mean += v
		}
		mean /= n
	}
	square := T(0)
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	inverse := 1 / sqrt(square/n+T(eps))
	for i, v := range x {
		y[i] = (v - mean) * inverse * weight[i]
		if bias != nil {
			y[i] += bias[i]
		}
	}
}
