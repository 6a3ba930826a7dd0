package eval

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Trace is one sequence's figures in one model, by position 0 … T−2.
type Trace struct {
	NLL []float64
	KL  []float64 // from the source, nil without one
	Top []int64   // argmax
	OK  []bool    // argmax is the source's, nil without one
}

// lockstep runs a sequence through all models piece by piece, models[source]
// (where not negative) being what the others are compared with. progress is told of the
// tokens that model k has run, or is known to have run.
func lockstep(ctx context.Context, models []*Model, source int, ids []int64, progress func(k, tokens int)) ([]Trace, error) {
	n := len(ids) - 1
	traces := make([]Trace, len(models))
	running := make([]*sequence, len(models))
	for k, m := range models {
		var err error
		if running[k], err = m.start(ctx, ids, k == source); err != nil {
			return nil, err
		}
		traces[k] = Trace{NLL: make([]float64, n), Top: make([]int64, n)}
		if source >= 0 && k != source {
			traces[k].KL, traces[k].OK = make([]float64, n), make([]bool, n)
		}
	}
	chunk := pieceSize(models, len(ids))
	piece := make([]logits, len(models))
	for from := 0; from < len(ids); from += chunk {
		to := min(from+chunk, len(ids))
		for k := range models {
			var err error
			if piece[k], err = running[k].next(ctx, ids[from:to]); err != nil {
				return nil, err
			}
			progress(k, to-from)
		}
		if k, err := measure(piece, source, ids, from, min(to, n), traces); err != nil {
			return nil, fmt.Errorf("%s: %w", models[k].title(), err)
		}
	}
	return traces, nil
}

// measure fills positions [from, to) of the traces in. An error is of model k.
func measure(piece []logits, source int, ids []int64, from, to int, traces []Trace) (k int, err error) {
	var group errgroup.Group
	var bad atomic.Int64
	workers := max(1, min(runtime.GOMAXPROCS(0), to-from))
	for w := range workers {
		group.Go(func() error {
			p, q, e := make([]float64, piece[0].vocab), make([]float64, piece[0].vocab), make([]float64, piece[0].vocab)
			for i := from + w; i < to; i += workers {
				var ref distribution
				if source >= 0 {
					piece[source].row(i-from, q)
					ref = describe(q, e)
				}
				for k := range piece {
					t := &traces[k]
					row, d := q, ref
					if k != source {
						piece[k].row(i-from, p)
						row, d = p, describe(p, nil)
					}
					t.NLL[i], t.Top[i] = d.lse-row[ids[i+1]], int64(d.top)
					if math.IsNaN(t.NLL[i]) {
						bad.Store(int64(k))
						return fmt.Errorf("position %d: a logit is not a number: the weights are damaged, or the arithmetic overflowed", i)
					}
					if t.KL != nil {
						t.KL[i], t.OK[i] = divergence(q, e, ref, p, d), d.top == ref.top
					}
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return int(bad.Load()), err
}

// distribution describes softmax of a row of logits.
type distribution struct {
	lse float64 // ln Σ exp
	sum float64 // Σ exp(x − max)
	top int
}

// describe returns a row's distribution, and in e, where not nil, exp(x − max).
func describe(row, e []float64) distribution {
	d := distribution{}
	for v, x := range row {
		if x > row[d.top] {
			d.top = v
		}
	}
	largest := row[d.top]
	if e != nil {
		for v, x := range row {
			y := expOf(x - largest)
			e[v] = y
			d.sum += y
		}
	} else {
		for _, x := range row {
			d.sum += expOf(x - largest)
		}
	}
	d.lse = largest + math.Log(d.sum)
	return d
}

// divergence is KL(softmax q ‖ softmax p) in nats, from
//
//	Σ_v e_v (q_v − p_v) / Σ e − lse(q) + lse(p)
//
// which needs no exponential beyond e = exp(q − max). Its rounding is some 1e-16
// of the largest difference of logits.
func divergence(q, e []float64, dq distribution, p []float64, dp distribution) float64 {
	sum := 0.0
	for v, w := range e {
		sum += w * (q[v] - p[v])
	}
	return max(0, sum/dq.sum-dq.lse+dp.lse)
}
