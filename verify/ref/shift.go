package ref

import (
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
			mix.Next(state[(row*heads+h)*d:][:d], h, y64[(t*heads+h)*d:][:d], x64[t*hidden:][:hidden])
		}
	}
	narrow(y, y64)
	return state, nil
}
