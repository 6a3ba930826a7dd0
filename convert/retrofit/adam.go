package retrofit

import (
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
)

// adam is Adam (arXiv 1412.6980) with β = (0.9, 0.98), one learning rate per
// part of the weights, linear warm-up, one rate for the first half of the steps and
// a line to 0 over the second. Its ε is large: floor times the root mean second
// moment of the matrix.
//
// With a small ε every number moves at the same pace, those too whose gradient
// is nearly nothing but noise. That drift is what short contexts, which hardly
// have a gradient, pay for long ones; the floor leaves such numbers where the
// source has them, and still bounds the step of those whose gradient is large.
type adam struct {
	weights       *Weights[float32]
	first, second *Weights[float32]
	rates         [4]float64
	step, steps   int
	// pull draws the weights back to source's by that share of their difference a step
	pull   float64
	source *Weights[float32]
}

const (
	beta1, beta2 = 0.9, 0.98
	adamFloor    = 3
	adamEps      = 1e-8
	warmUp       = 5
	// pullBack is what a step draws weights back by where the rate is whole: noise moves
	// those that no row of the text holds, for good, and other texts pay for it.
	pullBack = .001
)

// newAdam sets each matrix's rate to rate·std(W). A bias is a column of its
// matrix whose input is 1, and takes its rate.
func newAdam(w *Weights[float32], rate float64, steps int) *adam {
	q, k := rate*deviation(w.Q), rate*deviation(w.K)
	return &adam{weights: w, first: w.NewWeights(), second: w.NewWeights(), rates: [4]float64{q, k, q, k}, steps: steps}
}

func deviation(x []float32) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(x))
	return math.Sqrt(max(squares/n-sum/n*sum/n, 0))
}

// rateAt is the factor of step t of n, counted from 0: with w warm-up steps
// min((t+1)/w, 1, 2·(n−t)/(n−w)). A fit is short of steps: a cosine leaves the high rate
// too early.
func rateAt(t, n int) float64 {
	warm := min(warmUp, n)
	if t < warm {
		return float64(t+1) / float64(warm)
	}
	return min(1, 2*(1-float64(t-warm)/float64(max(n-warm, 1))))
}

// update takes one step down the gradient.
func (a *adam) update(grad *Weights[float32]) {
	factor := rateAt(a.step, a.steps)
	a.step++
	c1, c2 := 1-math.Pow(beta1, float64(a.step)), 1-math.Pow(beta2, float64(a.step))
	w, g, m, v := a.weights.parts(), grad.parts(), a.first.parts(), a.second.parts()
	for part := range w {
		rate, root := float32(a.rates[part]*factor/c1), float32(1/math.Sqrt(c2))
		w, g, m, v := w[part], g[part], m[part], v[part]
		const run = 1 << 14
		runs := (len(w) + run - 1) / run
		sums := make([]float64, runs)
		each(runs, func(_, n int) {
			from, to := n*run, min((n+1)*run, len(w))
			sums[n] = tensor.Moments32(m[from:to], v[from:to], g[from:to], beta1, beta2)
		})
		var sum float64 // in one order on any number of cores
		for _, x := range sums {
			sum += x
		}
		eps := float32(adamEps + adamFloor*math.Sqrt(sum/c2/float64(max(len(v), 1))))
		each(runs, func(_, n int) {
			from, to := n*run, min((n+1)*run, len(w))
			tensor.Descend32(w[from:to], m[from:to], v[from:to], rate, root, eps)
			if back := float32(a.pull * factor); back > 0 {
				source := a.source.parts()[part]
				for i := from; i < to; i++ {
					w[i] += back * (source[i] - w[i])
				}
			}
		})
	}
}
