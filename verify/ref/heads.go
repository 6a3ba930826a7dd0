package ref

import (
	"context"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
)

// headVectors are the queries, keys and values of a pass's tokens, (tokens,
// heads, head size), as they meet in the score.
type headVectors[T Float] struct {
	q, k, v []T
	// token are q and k as a bias reads them: normalised and not rotated.
	token [2][]T
}

// heads projects x, (tokens, hidden), to queries, keys and values, then mixes
// (KV-shift), normalises and turns them.
func (p *pass[T]) heads(ctx context.Context, a *family.Attention, at func(place string) string, x []T, bias posenc.Bias, past, next *State) (*headVectors[T], error) {
	tokens := p.in.tokens()
	own := a.CachedHeads()
	out := &headVectors[T]{q: room(&p.work.q, tokens*a.Heads*a.QKDim), k: room(&p.work.k, tokens*own*a.QKDim), v: room(&p.work.v, tokens*own*a.VDim)}
	turn, err := p.turns(a, at, x, past, next)
	if err != nil {
		return nil, err
	}
	from, slice, err := p.latents(ctx, a, at, x)
	if err != nil {
		return nil, err
	}
	parts := []struct {
		side       names.Side
		linear     *family.Linear
		norm       *family.Norm
		shift      *family.Shift
		last, keep *[]float64
		heads, d   int
		to         []T
		token      *[]T
	}{
		{names.Q, &a.Q, a.QNorm, nil, nil, nil, a.Heads, a.QKDim, out.q, &out.token[0]},
		{names.K, &a.K, a.KNorm, a.KShift, &past.LastKey, &next.LastKey, a.KVHeads, a.QKDim, out.k, &out.token[1]},
		{names.V, &a.V, a.VNorm, a.VShift, &past.LastValue, &next.LastValue, a.KVHeads, a.VDim, out.v, nil},
	}
	for _, one := range parts {
		if one.side != names.Q && a.KVLayer != nil {
			continue // another layer's
		}
		tap := func(place string) { p.tap(at(place), one.to, one.heads, one.d) }
		if slice != nil && one.side == names.K {
			if err := p.sharedKeys(ctx, a, at, from.kv, slice, one.to); err != nil {
				return nil, err
			}
		} else {
			if err := p.linear(ctx, one.linear, from.of(one.side), tokens, one.to, p.work); err != nil {
				return nil, err
			}
			tap(one.side.Proj())
		}
		if c := T(a.Clip); c != 0 {
			for i, v := range one.to {
				one.to[i] = min(max(v, -c), c)
			}
			tap(one.side.Clipped())
		}
		if one.side == names.V && a.ValueScale != 0 {
			scale(one.to, a.ValueScale)
			tap(one.side.Scaled())
		}
		if one.shift != nil {
			if *one.keep, err = p.shift(one.shift, one.heads, one.d, x, one.to, *one.last); err != nil {
				return nil, err
			}
			tap(one.side.Shifted())
		}
		normalise := func(y []T) error {
			if one.norm == nil {
				return nil
			}
			return p.norm(one.norm, y, y)
		}
		after := a.NormAfter && one.norm != nil && one.token != nil
		if one.norm != nil && !after {
			if err := normalise(one.to); err != nil {
				return nil, err
			}
			tap(one.side.Norm())
		}
		if one.token == nil {
			continue
		}
		*one.token = one.to
		scaled := one.side == names.Q && a.QueryScale != nil
		if bias != nil && (turn != nil || scaled) {
			*one.token = append([]T(nil), one.to...)
			if after {
				if err := normalise(*one.token); err != nil {
					return nil, err
				}
			}
		}
		if turn != nil {
			if turn.powers != nil {
				exponentiate(a, turn.powers, p.in.positions, one.to, one.heads)
			} else {
				if a.Generators != nil {
					inBasis(a, one.to, one.heads)
					tap(one.side.Based())
				}
				turn.rotate(&a.Rotary, one.to, one.heads)
			}
			tap(one.side.Rotated())
		}
		if after {
			if err := normalise(one.to); err != nil {
				return nil, err
			}
			tap(one.side.Norm())
		}
		if scaled {
			p.scaleQueries(a.QueryScale, one.to)
			tap(one.side.Scaled())
		}
	}
	return out, nil
}

// scaleQueries multiplies each token's queries, (tokens, heads, head size), by the
// factor of its position.
func (p *pass[T]) scaleQueries(s *family.QueryScale, q []T) {
	width := len(q) / p.in.tokens()
	for i, position := range p.in.positions {
		f := s.At(position)
		if p.roundTables {
			f = float64(float32(f))
		}
		scale(q[i*width:(i+1)*width], f)
	}
}

// turns returns the layer's table of cos and sin, nil where nothing turns.
func (p *pass[T]) turns(a *family.Attention, at func(place string) string, x []T, past, next *State) (*turns[T], error) {
	var phi []float64
	if a.Phase != nil {
		var err error
		if phi, next.Phase, err = p.phases(a.Phase, a, x, past.Phase); err != nil {
			return nil, err
		}
		if p.opts.Tap != nil {
			shown := make([]T, len(phi))
			for i, v := range phi {
				shown[i] = T(v)
			}
			p.tap(at(names.Phase), shown, len(phi)/p.in.tokens())
		}
	}
	if a.Rotary.Planes() == 0 {
		return nil, nil
	}
	if a.Generators != nil && !p.roundTables {
		return &turns[T]{powers: p.exps.upTo(a.Generators, slices.Max(p.in.positions))}, nil
	}
	t := newTurns[T](a, p.in.positions, phi, p.roundTables)
	return &t, nil
}
