package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// deltaNet writes what a gated delta net makes of x to y, and extends the cache.
func (p *pass[T]) deltaNet(ctx context.Context, d *family.DeltaNet, at func(place string) string, layer int, x, y []T) error {
	tokens, channels := p.in.tokens(), d.Channels()
	z, err := p.deltaInput(ctx, d, at, x)
	if err != nil {
		return err
	}
	var past State
	if p.past != nil {
		past = p.past.States[layer]
		if want := p.in.rows * d.Heads * d.KDim * d.VDim; len(past.Recurrent) != want {
			return fmt.Errorf("the cache has %d numbers of the recurrence: expected %d", len(past.Recurrent), want)
		}
	}
	var next State
	if next.Window, err = p.deltaConv(d, z, past.Window); err != nil {
		return err
	}
	for i, v := range z {
		z[i] = silu(v)
	}
	p.tap(at(names.DeltaMixed), z, channels)
	alpha, beta, err := p.deltaGates(ctx, d, at, x)
	if err != nil {
		return err
	}
	o := make([]T, tokens*d.Heads*d.VDim)
	if next.Recurrent, err = p.recur(ctx, d, z, alpha, beta, past.Recurrent, o); err != nil {
		return err
	}
	p.tap(at(names.DeltaContext), o, d.Heads, d.VDim)
	p.out.Cache.push(nil, nil, next)
	if err := p.norm(&d.Norm, o, o); err != nil {
		return err
	}
	p.tap(at(family.AtDeltaNorm), o, d.Heads, d.VDim)
	gate := make([]T, len(o))
	if err := p.linear(ctx, &d.Z, x, tokens, gate, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtDeltaZ), gate, d.Heads*d.VDim)
	for i, v := range gate {
		if d.SigmoidGate {
			o[i] *= sigmoid(v)
		} else {
			o[i] *= silu(v)
		}
	}
	p.tap(at(names.DeltaGated), o, d.Heads*d.VDim)
	if err := p.linear(ctx, &d.Out, o, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtDeltaOut), y, p.model.Hidden)
	return nil
}

// deltaInput are the projections that the convolutions read, side by side,
// (tokens, channels).
func (p *pass[T]) deltaInput(ctx context.Context, d *family.DeltaNet, at func(place string) string, x []T) ([]T, error) {
	tokens, channels := p.in.tokens(), d.Channels()
	z := make([]T, tokens*channels)
	in, places := d.Inputs()
	first := 0
	for i, l := range in {
		n := int(l.Weight.Shape[0])
		part := z
		if n != channels {
			part = make([]T, tokens*n)
		}
		if err := p.linear(ctx, l, x, tokens, part, p.work); err != nil {
			return nil, err
		}
		p.tap(at(places[i]), part, n)
		for t := 0; n != channels && t < tokens; t++ {
			copy(z[t*channels+first:], part[t*n:(t+1)*n])
		}
		first += n
	}
	return z, nil
}

// deltaConv replaces z by the convolutions of its channels, one after another, and
// returns what they saw last.
func (p *pass[T]) deltaConv(d *family.DeltaNet, z []T, past []float64) ([]float64, error) {
	var w []T
	for i := range d.Convs {
		one, err := p.vector(&d.Convs[i].Weight)
		if err != nil {
			return nil, err
		}
		w = append(w, one...)
	}
	return p.convolve(d.Convs[0].Taps, w, nil, d.Channels(), z, past)
}

// deltaGates are the decays α, (tokens, Decays), and the rates β, (tokens, heads), of
// every token: 1 and 0 at padding.
func (p *pass[T]) deltaGates(ctx context.Context, d *family.DeltaNet, at func(place string) string, x []T) (alpha, beta []T, err error) {
	in, tokens, decays := p.in, p.in.tokens(), d.Decays()
	alpha, beta = make([]T, tokens*decays), make([]T, tokens*d.Heads)
	if err := p.linear(ctx, &d.A, x, tokens, alpha, p.work); err != nil {
		return nil, nil, err
	}
	p.tap(at(family.AtDeltaA), alpha, decays)
	if err := p.linear(ctx, &d.B, x, tokens, beta, p.work); err != nil {
		return nil, nil, err
	}
	p.tap(at(family.AtDeltaB), beta, d.Heads)
	log, err := p.vector(&d.ALog)
	if err != nil {
		return nil, nil, err
	}
	shift, err := p.vector(&d.DT)
	if err != nil {
		return nil, nil, err
	}
	for t := range tokens {
		hidden := in.isHidden(t/in.seq, in.past+t%in.seq)
		for h := range d.Heads {
			i := t*d.Heads + h
			beta[i] = T(d.BetaScale) * sigmoid(beta[i])
			if hidden {
				beta[i] = 0
			}
		}
		for k := range decays {
			i := t*decays + k
			v, rate := float64(alpha[i]+shift[k]), math.Exp(float64(log[k*d.Heads/decays]))
			switch {
			case hidden:
				alpha[i] = 1
			case d.Bound != 0:
				alpha[i] = T(math.Exp(d.Bound / (1 + math.Exp(-rate*v))))
			default:
				softplus := max(v, 0) + math.Log1p(math.Exp(-math.Abs(v)))
				alpha[i] = T(math.Exp(-rate * softplus))
			}
		}
	}
	return alpha, beta, nil
}

// recur runs the recurrence of every head over z, (tokens, channels), from the
// states past, nil for zeros, writes o, (tokens, heads, VDim), and returns the states.
func (p *pass[T]) recur(ctx context.Context, d *family.DeltaNet, z, alpha, beta []T, past []float64, o []T) ([]float64, error) {
	in, size, channels := p.in, d.KDim*d.VDim, d.Channels()
	next := make([]float64, in.rows*d.Heads*size)
	each, decays := d.Heads/d.KHeads, d.Decays()
	err := parallel(ctx, in.rows*d.Heads, in.tokens()*d.Heads*size < smallWork, func(_, i int) error {
		row, h := i/d.Heads, i%d.Heads
		state := make([]T, size)
		for k := range size {
			if past != nil {
				state[k] = T(past[i*size+k])
			}
		}
		q, k, delta := make([]T, d.KDim), make([]T, d.KDim), make([]T, d.VDim)
		for s := range in.seq {
			t := row*in.seq + s
			read := z[t*channels:]
			normal(q, read[h/each*d.KDim:], T(1/math.Sqrt(float64(d.KDim))))
			normal(k, read[(d.KHeads+h/each)*d.KDim:], 1)
			v := read[2*d.KHeads*d.KDim+h*d.VDim:][:d.VDim]
			step(state, q, k, v, delta, alpha[t*decays+h*decays/d.Heads:][:decays/d.Heads], beta[t*d.Heads+h], o[(t*d.Heads+h)*d.VDim:][:d.VDim])
		}
		for k, v := range state {
			next[i*size+k] = float64(v)
		}
		return nil
	})
	return next, err
}

// normal writes x·scale / √(Σx² + ε) to y.
func normal[T Float](y, x []T, scale T) {
	var square T
	for _, v := range x[:len(y)] {
		square += v * v
	}
	scale /= sqrt(square + family.DeltaEps)
	for i := range y {
		y[i] = x[i] * scale
	}
}

// step is one token of the recurrence: the state, (keys, values), and o change. The
// decays alpha are one for each number of a key, or one for all.
func step[T Float](state, q, k, v, delta, alpha []T, beta T, o []T) {
	n := len(v)
	clear(delta)
	for i, x := range k {
		row := state[i*n:][:n]
		for j := range row {
			row[j] *= alpha[i%len(alpha)]
			delta[j] += x * row[j]
		}
	}
	for j := range delta {
		delta[j] = beta * (v[j] - delta[j])
	}
	clear(o)
	for i, x := range k {
		row := state[i*n:][:n]
		for j := range row {
			row[j] += x * delta[j]
			o[j] += q[i] * row[j]
		}
	}
}
