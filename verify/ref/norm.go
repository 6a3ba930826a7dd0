package ref

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// norm normalises x into y, Size numbers at a time; the two may be the same
// slice. A nil norm copies x.
func (r *RunnerOf[T]) norm(n *family.Norm, x, y []T) error {
	if n == nil {
		copy(y, x)
		return nil
	}
	weight, err := r.factors(n)
	if err != nil {
		return err
	}
	heads := make([][]T, len(n.PerHead))
	for h := range heads {
		if heads[h], err = r.vector(&n.PerHead[h]); err != nil {
			return err
		}
		if len(heads[h]) != n.Size {
			return fmt.Errorf("tensor %q: %d weights for a norm of %d numbers of head %d", n.PerHead[h].Tensor, len(heads[h]), n.Size, h)
		}
	}
	bias, err := r.vector(n.Bias)
	if err != nil {
		return err
	}
	if len(weight) != n.Size || len(x)%n.Size != 0 {
		return fmt.Errorf("tensor %q: %d weights for a norm of %d of %d numbers", n.Weight.Tensor, len(weight), n.Size, len(x))
	}
	for i := 0; i < len(x); i += n.Size {
		if len(heads) > 0 {
			weight = heads[i/n.Size%len(heads)]
		}
		normalise(n.Kind, n.Eps, x[i:i+n.Size], y[i:i+n.Size], weight, bias)
	}
	return nil
}

// factors are the numbers w of a norm: Offset plus the stored weight, or ones.
func (r *RunnerOf[T]) factors(n *family.Norm) ([]T, error) {
	if n.Weight.Tensor == "" {
		w := make([]T, n.Size)
		for i := range w {
			w[i] = 1
		}
		return w, nil
	}
	w, err := r.vector(&n.Weight)
	if err != nil || n.Offset == 0 {
		return w, err
	}
	w = append([]T(nil), w...) // the stored ones may be kept
	for i := range w {
		w[i] += T(n.Offset)
	}
	return w, nil
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
