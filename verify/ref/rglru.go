package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// rglru writes what a gated linear recurrence makes of x to y, and extends the cache.
func (p *pass[T]) rglru(ctx context.Context, l *family.RGLRU, at func(place string) string, past State, x, y []T) error {
	tokens, width := p.in.tokens(), l.Width
	act, err := p.activation(&family.MLP{Act: l.Act})
	if err != nil {
		return err
	}
	u, gate := make([]T, tokens*width), make([]T, tokens*width)
	for _, part := range []struct {
		place string
		l     *family.Linear
		out   []T
	}{{family.AtRGLRUGate, &l.Gate, gate}, {family.AtRGLRUIn, &l.In, u}} {
		if err := p.linear(ctx, part.l, x, tokens, part.out, p.work); err != nil {
			return err
		}
		p.tap(at(part.place), part.out, width)
	}
	var next State
	if next.Window, err = p.causal(&l.Conv, width, u, past.Window); err != nil {
		return err
	}
	p.tap(at(family.AtRGLRUConv), u, width)
	if next.Recurrent, err = p.leaking(l, u, past.Recurrent); err != nil {
		return err
	}
	p.tap(at(names.RGLRUMixed), u, width)
	p.out.Cache.push(nil, nil, next)
	for i, v := range gate {
		u[i] *= act(v)
	}
	p.tap(at(names.RGLRUGated), u, width)
	if err := p.linear(ctx, &l.Out, u, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtRGLRUOut), y, p.model.Hidden)
	return nil
}

// leaking replaces u, (tokens, Width), by the states of the recurrence that it enters,
// from those of past, nil for zeros, and returns those after the last tokens.
func (p *pass[T]) leaking(l *family.RGLRU, u []T, past []float64) ([]float64, error) {
	var numbers [5][]T
	for i, w := range []*family.Weight{&l.Decay, &l.DecayBias, &l.InputGate, &l.InputBias, &l.Param} {
		var err error
		if numbers[i], err = p.vector(w); err != nil {
			return nil, err
		}
	}
	in, width, size := p.in, l.Width, l.Width/l.Heads
	next := make([]float64, in.rows*width)
	if past != nil {
		if len(past) != len(next) {
			return nil, fmt.Errorf("the cache has %d numbers of the recurrence: expected %d", len(past), len(next))
		}
		copy(next, past)
	}
	gate := func(w, bias, u []T, i int) T { // of number i, by the numbers of its head
		h, to := i/size, i%size
		sum := bias[i]
		for from := range size {
			sum += u[h*size+from] * w[(h*size+from)*size+to]
		}
		return sigmoid(sum)
	}
	read := make([]T, width)
	for b := range in.rows {
		state := next[b*width:][:width]
		for s := range in.seq {
			row := u[(b*in.seq+s)*width:][:width]
			copy(read, row)
			for i := range row {
				if in.isHidden(b, in.past+s) {
					row[i] = T(state[i])
					continue
				}
				log := -family.RGLRURate * float64(gate(numbers[0], numbers[1], read, i)*softplus(numbers[4][i]))
				left := T(1)
				if in.place(b, in.past+s) > 0 {
					left = T(math.Sqrt(-math.Expm1(2 * log)))
				}
				row[i] = T(math.Exp(log))*T(state[i]) + left*gate(numbers[2], numbers[3], read, i)*read[i]
				state[i] = float64(row[i])
			}
		}
	}
	return next, nil
}
