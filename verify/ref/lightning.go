package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// lightning writes what lightning attention makes of x to y, and extends the cache.
func (p *pass[T]) lightning(ctx context.Context, l *family.Lightning, at func(place string) string, past State, x, y []T) error {
	tokens, width := p.in.tokens(), l.Width()
	in := make([]T, tokens*3*width)
	if err := p.linear(ctx, &l.In, x, tokens, in, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtLightningIn), in, 3*width)
	for i, v := range in {
		in[i] = silu(v)
	}
	o := make([]T, tokens*width)
	next, err := p.decaying(ctx, l, in, o, past.Recurrent)
	if err != nil {
		return err
	}
	p.tap(at(names.LightningMixed), o, width)
	p.out.Cache.push(nil, nil, State{Recurrent: next})
	if err := p.norm(&l.Norm, o, o); err != nil {
		return err
	}
	p.tap(at(family.AtLightningNorm), o, width)
	gate := make([]T, len(o))
	if err := p.linear(ctx, &l.Gate, x, tokens, gate, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtLightningGate), gate, width)
	for i, v := range gate {
		o[i] *= sigmoid(v)
	}
	p.tap(at(names.LightningGated), o, width)
	if err := p.linear(ctx, &l.Out, o, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtLightningOut), y, p.model.Hidden)
	return nil
}

// decaying runs the recurrence of every head over the queries, keys and values in,
// (tokens, heads, 3·HeadDim), from the states past, nil for zeros, writes o, (tokens,
// heads, HeadDim), and returns the states, (rows, heads, values, keys).
func (p *pass[T]) decaying(ctx context.Context, l *family.Lightning, in, o []T, past []float64) ([]float64, error) {
	slopes := l.Slopes
	if l.Stored != nil {
		stored, err := p.vector(l.Stored)
		if err != nil {
			return nil, err
		}
		slopes = make([]float64, len(stored))
		for i, v := range stored {
			slopes[i] = float64(v)
		}
	}
	b, d := p.in, l.HeadDim
	next := make([]float64, b.rows*l.Heads*d*d)
	if past != nil {
		if len(past) != len(next) {
			return nil, fmt.Errorf("the cache has %d numbers of the recurrence: expected %d", len(past), len(next))
		}
		copy(next, past)
	}
	return next, parallel(ctx, b.rows*l.Heads, b.tokens()*l.Heads*d*d < smallWork, func(_, i int) error {
		row, h := i/l.Heads, i%l.Heads
		keep, state := next[i*d*d:][:d*d], make([]T, d*d)
		for k, v := range keep {
			state[k] = T(v)
		}
		decay := T(math.Exp(-slopes[h]))
		for s := range b.seq {
			t := row*b.seq + s
			if b.isHidden(row, b.past+s) {
				continue
			}
			qkv, out := in[(t*l.Heads+h)*3*d:][:3*d], o[(t*l.Heads+h)*d:][:d]
			for v := range d {
				line, sum := state[v*d:][:d], T(0)
				for k := range line {
					line[k] = decay*line[k] + qkv[2*d+v]*qkv[d+k]
					sum += line[k] * qkv[k]
				}
				out[v] = sum
			}
		}
		for k, v := range state {
			keep[k] = float64(v)
		}
		return nil
	})
}
