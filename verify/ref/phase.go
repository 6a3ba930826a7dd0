package ref

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// phases returns Φ per token, (tokens, n), and the sum after the last one, (B,
// n), from x, (tokens, hidden), and the sums before the first, nil for zeros.
// Padding has the phase of the token that follows it.
func (p *pass[T]) phases(g *family.PhaseGate, a *family.Attention, x []T, past []float64) (phi, sums []float64, err error) {
	w, b, err := p.affine(&g.Gate)
	if err != nil {
		return nil, nil, err
	}
	c := posenc.ContextPhase{W: w, B: b, Scale: g.C}
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	if w.Rows != 1 && w.Rows != a.KVHeads {
		return nil, nil, fmt.Errorf("contextual phase: tensor %q has %d rows: expected 1 or one per key/value head (%d)", g.Gate.Weight.Tensor, w.Rows, a.KVHeads)
	}
	in, n, hidden := p.in, w.Rows, p.model.Hidden
	phi, sums = make([]float64, in.tokens()*n), make([]float64, in.rows*n)
	copy(sums, past)
	x64 := wide(x)
	for t := range in.tokens() {
		row := t / in.seq
		state := sums[row*n : (row+1)*n]
		if in.isHidden(row, in.past+t%in.seq) {
			copy(phi[t*n:], state)
			continue
		}
		c.Next(state, phi[t*n:][:n], x64[t*hidden:][:hidden])
		round[T](state)
		round[T](phi[t*n:][:n])
	}
	return phi, sums, nil
}
