package ref

import (
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// shift mixes every token's heads y, (tokens, key/value heads, head size), with
// those of the token before, as its gate reads x, (tokens, hidden). last holds
// the projections of the token before the first, nil for none; shift returns
// those of the last one. Padding is stepped over.
func (p *pass[T]) shift(s *family.Shift, heads, d int, x, y []T, last []float64) ([]float64, error) {
	w, b, err := p.affine(&s.Gate)
	if err != nil {
		return nil, err
	}
	mix := posenc.Shift{W: w, B: b}
	if err := mix.Check(); err != nil {
		return nil, err
	}
	in, hidden := p.in, p.model.Hidden
	state := make([]float64, in.rows*heads*d)
	copy(state, last)
	x64, y64 := wide(x), wide(y)
	for t := range in.tokens() {
		row := t / in.seq
		if in.isHidden(row, in.past+t%in.seq) {
			continue
		}
		for h := range heads {
			if inFloat32[T]() {
				plainMix(state[(row*heads+h)*d:][:d], w.Row(h), b[h], y64[(t*heads+h)*d:][:d], x64[t*hidden:][:hidden])
				continue
			}
			mix.Next(state[(row*heads+h)*d:][:d], h, y64[(t*heads+h)*d:][:d], x64[t*hidden:][:hidden])
		}
	}
	narrow(y, y64)
	return state, nil
}

func inFloat32[T Float]() bool {
	_, ok := any(T(0)).(float32)
	return ok
}

// plainMix is the same mix in plain float32, on numbers of float32: the gate is
// ½ + ½ tanh(z/2) and its complement 1 − a, as wrong near 0 as σ is in a
// runtime's vector code, whose error is that of numbers near 1.
func plainMix(last, w []float64, b float64, y, x []float64) {
	z := float32(b)
	for i, v := range x {
		z += float32(w[i]) * float32(v)
	}
	a := 0.5 + 0.5*float32(math.Tanh(float64(z/2)))
	for i, v := range y {
		y[i] = float64(a*float32(last[i]) + (1-a)*float32(v))
		last[i] = v
	}
}
