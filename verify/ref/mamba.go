package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// mamba writes what a Mamba 2 layer makes of x to y, and the states that it carries
// to next, from those of past.
func (p *pass[T]) mamba(ctx context.Context, m *family.Mamba, at func(place string) string, past *State, next *State, x, y []T) error {
	tokens, h := p.in.tokens(), p.model.Hidden
	inner, shared := m.Inner(), m.Shared()
	width := 2*(inner+shared) + m.Heads
	in := make([]T, tokens*width)
	if err := p.linear(ctx, &m.In, x, tokens, in, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtMambaIn), in, width)
	z, u, dt := make([]T, tokens*inner), make([]T, tokens*(inner+2*shared)), make([]T, tokens*m.Heads)
	for t := range tokens {
		row := in[t*width:][:width]
		from := 0
		for i, n := range m.Widths() {
			if m.Scales != nil {
				for k := range n {
					row[from+k] *= T(m.Scales[i])
				}
			}
			from += n
		}
		copy(z[t*inner:], row[:inner])
		copy(u[t*(inner+2*shared):], row[inner:2*(inner+shared)])
		copy(dt[t*m.Heads:], row[2*(inner+shared):])
	}
	var err error
	if next.Window, err = p.causal(&m.Conv, inner+2*shared, u, past.Window); err != nil {
		return err
	}
	p.tap(at(family.AtMambaConv), u, inner+2*shared)
	for i, v := range u {
		u[i] = silu(v)
	}
	mixed := make([]T, tokens*inner)
	if next.Recurrent, err = p.selective(ctx, m, u, dt, mixed, past.Recurrent); err != nil {
		return err
	}
	p.tap(at(names.MambaMixed), mixed, inner)
	if err := p.gateNorm(m, at, z, mixed); err != nil {
		return err
	}
	p.tap(at(names.MambaGated), mixed, inner)
	if err := p.linear(ctx, &m.Out, mixed, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtMambaOut), y, h)
	scale(y, m.Scale)
	return nil
}

// selective writes the outputs of the recurrence to y, (tokens, Heads·HeadDim), from
// u, the x, B and C of each token, and its dt, and returns the states after the last
// tokens. A padding token is no step: its Δ is 0.
func (p *pass[T]) selective(ctx context.Context, m *family.Mamba, u, dt, y []T, past []float64) ([]float64, error) {
	var numbers [3][]T
	for i, w := range []*family.Weight{&m.ALog, &m.D, &m.DtBias} {
		var err error
		if numbers[i], err = p.vector(w); err != nil {
			return nil, err
		}
	}
	in, inner, shared, size := p.in, m.Inner(), m.Shared(), m.Inner()*m.StateSize
	if past != nil && len(past) != in.rows*size {
		return nil, fmt.Errorf("the cache has %d numbers of the recurrence: expected %d", len(past), in.rows*size)
	}
	next := make([]float64, in.rows*size)
	run := func(b, head int) {
		state := make([]T, m.HeadDim*m.StateSize)
		keep := next[b*size+head*len(state):][:len(state)]
		if past != nil {
			for i, v := range past[b*size+head*len(state):][:len(state)] {
				state[i] = T(v)
			}
		}
		decay, skip, bias := math.Exp(float64(numbers[0][head])), numbers[1][head], numbers[2][head]
		group := head / (m.Heads / m.Groups)
		for s := range in.seq {
			t := b*in.seq + s
			row := u[t*(inner+2*shared):]
			x, out := row[head*m.HeadDim:][:m.HeadDim], y[t*inner+head*m.HeadDim:][:m.HeadDim]
			from, to := row[inner+group*m.StateSize:][:m.StateSize], row[inner+shared+group*m.StateSize:][:m.StateSize]
			step := T(0)
			if !in.isHidden(b, in.past+s) {
				step = softplus(dt[t*m.Heads+head] + bias)
			}
			kept := T(math.Exp(-decay * float64(step)))
			for i, v := range x {
				line, sum, v := state[i*m.StateSize:][:m.StateSize], T(0), step*v
				for n := range line {
					line[n] = kept*line[n] + v*from[n]
					sum += line[n] * to[n]
				}
				out[i] = sum + skip*x[i]
			}
		}
		for i, v := range state {
			keep[i] = float64(v)
		}
	}
	return next, parallel(ctx, in.rows*m.Heads, in.tokens()*size < smallWork, func(_, i int) error {
		run(i/m.Heads, i%m.Heads)
		return nil
	})
}

// gateNorm replaces y by its norm and gate, in the layer's order.
func (p *pass[T]) gateNorm(m *family.Mamba, at func(place string) string, z, y []T) error {
	gate := func() {
		for i, v := range z {
			y[i] *= silu(v)
		}
	}
	if !m.NormFirst {
		gate()
	}
	if m.Norm != nil {
		if err := p.groupNorm(m.Norm, m.Inner(), y); err != nil {
			return err
		}
		if m.Norm.Size == m.Inner() {
			p.tap(at(family.AtMambaNorm), y, m.Inner())
		}
	}
	if m.NormFirst {
		gate()
	}
	return nil
}

// groupNorm normalises n.Size numbers of rows of width at a time, and multiplies each
// by a weight of its own.
func (p *pass[T]) groupNorm(n *family.Norm, width int, y []T) error {
	w, err := p.vector(&n.Weight)
	if err != nil {
		return err
	}
	for at := 0; at < len(y); at += n.Size {
		part, sum := y[at:][:n.Size], T(0)
		for _, v := range part {
			sum += v * v
		}
		by := 1 / T(math.Sqrt(float64(sum/T(n.Size)+T(n.Eps))))
		for i := range part {
			part[i] *= by * w[at%width+i]
		}
	}
	return nil
}
