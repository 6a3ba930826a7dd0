package retrofit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
	far              *joined // nil where nothing is extended
	rng              *rand.Rand

	// of each sequence, those that are joined last
	h       [][]float32
	keys    []*heads[float32]
	lengths []int
	of      []int // its class

	classes []class // that of joined sequences last
	held    []heldOut
	weights []float64 // of the classes' losses
}

// add takes what a sequence gives the layer to read.
func (f *fit) add(h []float32) {
	n := len(h) / f.shape.Hidden
	f.h, f.keys, f.lengths = append(f.h, h), append(f.keys, f.pair.Sequence(h, n)), append(f.lengths, n)
}

// run tries rates until held-out KL falls and returns the tensors to store, nil
// where it never does.
func (f *fit) run(ctx context.Context) (*LayerReport, []newTensor, error) {
	f.sort()
	before := f.test()
	near := f.classes[:len(f.classes)-f.farClasses()]
	f.weights = weigh(near, before, f.o.Balance)
	report := &LayerReport{Layer: f.layer, Before: f.mean(before), Copying: f.copying(), Steps: f.o.Steps}
	if report.Copying >= copiesFrom {
		report.Steps *= copyingSteps
		f.total += (copyingSteps - 1) * stepsFlops(f.shape, f.sequences, f.o)
	}
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
			report.ByLength = append(report.ByLength, LengthKL{f.lengths[c.members[0]], before[n], finite(after[n])})
		}
		slices.SortStableFunc(report.ByLength, func(a, b LengthKL) int { return b.Length - a.Length })
		if report.After < report.Before {
			report.Kept = true
			return report, out, nil
		}
		rate /= 4
	}
	report.After = finite(report.After)
	return report, nil, nil
}

// sort puts the sequences into classes and draws the rows that are held out.
func (f *fit) sort() {
	f.classes = classes(f.sequences)
	f.held = drawHeldOut(f.sequences, f.rng)
	if f.far != nil {
		c := class{share: farShare}
		for s := len(f.sequences); s < len(f.h); s++ {
			c.members = append(c.members, s)
		}
		rows := f.far.between(f.rng, 2*heldOutRows, f.far.length, true)
		f.held = append(f.held, heldOut{c.members[0], len(f.classes), rows, 1})
		f.classes = append(f.classes, c)
	}
	f.of = make([]int, len(f.h))
	for n, c := range f.classes {
		for _, s := range c.members {
			f.of[s] = n
		}
	}
}

// farClasses counts the classes of joined sequences.
func (f *fit) farClasses() int {
	if f.far == nil {
		return 0
	}
	return 1
}

// rows draws those of a step on a sequence.
func (f *fit) rows(s int) []int {
	if s >= len(f.sequences) {
		return f.far.draw(f.rng, f.o.Rows)
	}
	return drawRows(f.rng, f.o.Rows, f.lengths[s], false)
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
	steps := report.Steps
	optimiser := f.descent(rate, report)
	for step, list := range f.plan(steps) {
		factor := rateAt(step, steps)
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
			rows := f.rows(s)
			of := drawSome[float32](f.rng, rows, chanceOf(rows[len(rows)-1]+1, factor), nearestOf(factor))
			f.pair.estimate(f.h[s], f.keys[s], rows, of, into)
			if n > 0 {
				grad.add(part)
			}
			reached := f.lengths[s]
			if s >= len(f.sequences) {
				reached = rows[len(rows)-1] + 1
			}
			f.done += stepFlops(f.shape, reached, f.o)
		}
		optimiser.update(grad)
		f.tell(f.layer, step+1, report)
	}
	return nil
}

// descent takes steps from f.fitted as it is.
func (f *fit) descent(rate float64, report *LayerReport) interface{ update(*Weights[float32]) } {
	var b *basis
	var weights *adam
	if f.o.Fit == FitBasis {
		b = newBasis(f.shape, f.fitted, rate, report.Steps)
		weights = b.weights
	} else {
		weights = newAdam(f.fitted, rate, report.Steps)
	}
	if report.Copying < copiesFrom {
		weights.pull, weights.source = pullBack, f.original
	}
	if b != nil {
		return b
	}
	return weights
}

// plan lists the sequences of each step, joined ones among the others.
func (f *fit) plan(steps int) [][]int {
	if f.far == nil {
		return f.planNear(steps)
	}
	far := f.classes[len(f.classes)-1].members
	near := f.planNear(steps - int(farShare*float64(steps)))
	list := make([][]int, 0, steps)
	for step := range steps {
		if n := int(farShare * float64(step)); int(farShare*float64(step+1)) > n {
			list = append(list, []int{far[n%len(far)]})
		} else {
			list, near = append(list, near[0]), near[1:]
		}
	}
	return list
}

// planNear lists those of each of so many steps on sequences as they are.
func (f *fit) planNear(steps int) [][]int {
	list := make([][]int, steps)
	if !f.o.Together {
		for step, s := range schedule(f.sequences, steps, f.rng) {
			list[step] = []int{s}
		}
		return list
	}
	for _, c := range f.classes[:len(f.classes)-f.farClasses()] {
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
	for n, w := range f.weights {
		sum += f.classes[n].share * w * kl[n]
	}
	if f.far != nil {
		sum = (1-farShare)*sum + farShare*kl[len(kl)-1]
	}
	return sum
}
