package retrofit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
)

// attempts is how often a layer that gets no better is tried again, each time
// at a quarter of the rate.
const attempts = 4

// fit is the calibration of one layer.
type fit struct {
	*job
	layer            int
	shape            *Shape
	original, fitted *Weights[float32] // fitted is the student's
	pair             *Pair[float32]
	h                [][]float32
	keys             []*heads[float32]
	rng              *rand.Rand

	classes []class
	of      []int // the class of each sequence
	held    []heldOut
	weights []float64 // of the classes' losses
}

// run tries rates until held-out KL falls and returns the tensors to store, nil
// where it never does.
func (f *fit) run(ctx context.Context) (*LayerReport, []newTensor, error) {
	f.classes = classes(f.sequences)
	f.of = make([]int, len(f.sequences))
	for n, c := range f.classes {
		for _, s := range c.members {
			f.of[s] = n
		}
	}
	f.held = drawHeldOut(f.sequences, f.rng)
	before := f.test()
	f.weights = weigh(f.classes, before, f.o.Balance)
	report := &LayerReport{Layer: f.layer, Before: f.mean(before)}
	if !(report.Before >= 0) || math.IsInf(report.Before, 0) {
		return nil, nil, fmt.Errorf("attention KL %v before calibration: the source's own activations are not finite", report.Before)
	}
	var out []newTensor
	rate := f.o.Rate
	for range attempts {
		if err := f.train(ctx, rate, report); err != nil {
			return nil, nil, err
		}
		var err error
		if out, err = newTensors(f.m, f.src, f.layer, f.fitted); err != nil {
			return nil, nil, err
		}
		after := f.test() // of the weights as stored
		report.After, report.Rate, report.ByLength = f.mean(after), rate, nil
		for n, c := range f.classes {
			report.ByLength = append(report.ByLength, LengthKL{len(f.sequences[c.members[0]]), before[n], finite(after[n])})
		}
		if report.After < report.Before {
			report.Kept = true
			return report, out, nil
		}
		rate /= 4
	}
	report.After = finite(report.After)
	return report, nil, nil
}

// finite is what JSON can say of a KL.
func finite(x float64) float64 {
	if x != x || math.IsInf(x, 0) {
		return math.MaxFloat64
	}
	return x
}

// train takes all steps from the source's weights.
func (f *fit) train(ctx context.Context, rate float64, report *LayerReport) error {
	for n, part := range f.original.parts() {
		copy(f.fitted.parts()[n], part)
	}
	grad, part := f.fitted.NewWeights(), f.fitted.NewWeights()
	optimiser := newAdam(f.fitted, rate, f.o.Steps)
	for step, list := range f.plan() {
		for n, s := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			class, into := f.of[s], grad
			f.pair.weight = 1
			if len(list) > 1 {
				f.pair.weight = f.weights[class] * f.classes[class].share
			}
			if n > 0 {
				into = part
			}
			f.pair.KL(f.h[s], f.keys[s], drawRows(f.rng, f.o.Rows, len(f.sequences[s]), false), into)
			if n > 0 {
				grad.add(part)
			}
			f.done += stepFlops(f.shape, len(f.sequences[s]), f.o.Rows)
		}
		optimiser.update(grad)
		f.tell(f.layer, step+1, report)
	}
	return nil
}

// plan lists the sequences of each step.
func (f *fit) plan() [][]int {
	list := make([][]int, f.o.Steps)
	if !f.o.Together {
		for step, s := range schedule(f.sequences, f.o.Steps, f.rng) {
			list[step] = []int{s}
		}
		return list
	}
	for _, c := range f.classes {
		members := append([]int(nil), c.members...)
		for step := range list {
			at := step % len(members)
			if at == 0 {
				f.rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			}
			list[step] = append(list[step], members[at])
		}
	}
	return list
}

// test is the mean held-out KL of each class.
func (f *fit) test() []float64 {
	out := make([]float64, len(f.classes))
	for _, t := range f.held {
		out[t.class] += t.share * mean(f.pair.KL(f.h[t.sequence], f.keys[t.sequence], t.rows, nil))
	}
	return out
}

// mean is the loss: that of the classes by share and weight.
func (f *fit) mean(kl []float64) float64 {
	var sum float64
	for n, c := range f.classes {
		sum += c.share * f.weights[n] * kl[n]
	}
	return sum
}
