package compensate

import (
	"math"

	"github.com/pecvt/pecvt/convert/quant/nearest"
)

// shares of the widest grid's scale that are tried: clipping what lies outermost makes
// the others' steps smaller.
var shares = []float64{1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72, 0.66, 0.6}

// fit finds the grid of a block whose errors weigh so much: the nearest one's, or one that
// is refitted. A block that lies on a grid stays there.
func fit(s nearest.Scheme, w []float32, weight []float64, digits int) (nearest.Step, error) {
	first, err := s.Fit(w, digits)
	if err != nil || first.Exact || first.Scale == 0 {
		return first, err
	}
	best, least := first, off(first, s.Top(), w, weight)
	try := func(g nearest.Step) {
		if e := off(g, s.Top(), w, weight); e < least {
			best, least = g, e
		}
	}
	lo, hi := w[0], w[0]
	for _, x := range w {
		lo, hi = min(lo, x), max(hi, x)
	}
	for _, share := range shares {
		g := first
		g.Scale = nearest.Half(float64(first.Scale) * share)
		if g.Scale == 0 {
			continue
		}
		switch s.Zeros {
		case nearest.ZeroCode:
			g.Zero = int(min(max(math.RoundToEven(-float64(min(lo, 0))*share/float64(g.Scale)), 0), float64(s.Top())))
		case nearest.ZeroFloat: // clipped alike at both ends
			g.Low = nearest.Half(float64(first.Low) + (1-share)/2*float64(hi-lo))
		}
		try(g)
		try(refit(g, s, w, weight))
	}
	return best, nil
}

// off is Σ weight·(w − ŵ)².
func off(g nearest.Step, top int, w []float32, weight []float64) float64 {
	scale, low, inverse := float64(g.Scale), float64(g.Low), 1/float64(g.Scale)
	zero, last := float64(g.Zero), float64(top)
	sum := 0.0
	for j, x := range w {
		q := min(max(math.Floor((float64(x)-low)*inverse+zero+0.5), 0), last)
		d := (q-zero)*scale + low - float64(x)
		sum += weight[j] * d * d
	}
	return sum
}

// refit gives the scale, and the low where it is free, of least squares for the codes that
// a grid gives.
func refit(g nearest.Step, s nearest.Scheme, w []float32, weight []float64) nearest.Step {
	var n, c1, c2, x1, cx float64
	for j, x := range w {
		c, v := float64(g.Code(x, s.Top())-g.Zero), float64(x)
		n, c1, c2, x1, cx = n+weight[j], c1+weight[j]*c, c2+weight[j]*c*c, x1+weight[j]*v, cx+weight[j]*c*v
	}
	if s.Zeros != nearest.ZeroFloat {
		if c2 > 0 {
			g.Scale = nearest.Half(cx / c2)
		}
	} else if d := n*c2 - c1*c1; d > 1e-9*n*c2 {
		scale := (n*cx - c1*x1) / d
		g.Scale, g.Low = nearest.Half(scale), nearest.Half((x1-scale*c1)/n)
	}
	if g.Scale == 0 || math.IsInf(float64(g.Scale), 0) || math.IsInf(float64(g.Low), 0) {
		g.Scale = 1 // no grid: its error is large
	}
	return g
}
