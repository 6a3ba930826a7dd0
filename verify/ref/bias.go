package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// biased reports that a layer of the model adds a bias to its scores.
func biased(m *family.Model) bool {
	for _, a := range m.Attentions() {
		if a.Bias != nil {
			return true
		}
	}
	return false
}

// bias returns the bias that a layer adds to its scores, with its gates
// decoded; nil if it has none.
func (r *RunnerOf[T]) bias(a *family.Attention) (posenc.Bias, error) {
	b := a.Bias
	if b == nil {
		return nil, nil
	}
	bias, err := r.newBias(a, b)
	if err != nil {
		return nil, fmt.Errorf("bias: %w", err)
	}
	if bias.Heads() != a.Heads {
		return nil, fmt.Errorf("bias: %d heads, the layer has %d", bias.Heads(), a.Heads)
	}
	return bias, nil
}

func (r *RunnerOf[T]) newBias(a *family.Attention, b *family.Bias) (posenc.Bias, error) {
	if b.Kind != family.ALiBi && (b.RoundBF16 || b.BeforeScale) {
		return nil, fmt.Errorf("kind %d rounded to bf16 or added before the scale: that is ALiBi's alone", b.Kind)
	}
	switch b.Kind {
	case family.ALiBi:
		alibi := posenc.NewALiBi(b.Slopes)
		alibi.BF16 = b.RoundBF16
		if b.BeforeScale {
			alibi.Factor = a.Scale
		}
		return alibi, alibi.Check()
	case family.Gated:
		gated := posenc.Gated{Omega: b.Slopes, V: matrix(b.V), U: matrix(b.U)}
		return gated, gated.Check()
	case family.Forget:
		w, c, err := r.affine(b.Gate)
		if err != nil {
			return nil, err
		}
		fox := posenc.FoX{W: w, C: c}
		return fox, fox.Check()
	case family.Kerple:
		kerple := posenc.KERPLE{R1: b.Slopes, R2: b.R2, Power: b.Power}
		return kerple, kerple.Check()
	case family.Path:
		path := posenc.PathIntegral{Beta: b.Slopes, Dim: b.PDim}
		if b.Eps != math.Ldexp(1, -23) {
			return nil, fmt.Errorf("path vectors with ε %v: expected float32's machine epsilon, 2^-23", b.Eps)
		}
		if b.P != nil {
			var err error
			if path.P, _, err = r.affine(b.P); err != nil {
				return nil, err
			}
			return path, path.Check()
		}
		ties := map[string]posenc.Tie{"q": posenc.TieQ, "k": posenc.TieK, "v": posenc.TieV}
		tie, ok := ties[b.Tie]
		d := a.QKDim
		if b.Tie == "v" {
			d = a.VDim
		}
		if !ok || b.PDim != d {
			return nil, fmt.Errorf("path vectors of %d numbers tied to %q: expected q, k or v of head size %d", b.PDim, b.Tie, d)
		}
		path.Tie = tie
		return path, path.Check()
	}
	return nil, fmt.Errorf("kind %d is unknown", b.Kind)
}

// matrix copies rows into a matrix; no rows are none.
func matrix(rows [][]float64) posenc.Matrix {
	if len(rows) == 0 {
		return posenc.Matrix{}
	}
	m := posenc.Matrix{Rows: len(rows), Cols: len(rows[0])}
	for _, row := range rows {
		m.Data = append(m.Data, row...)
	}
	return m
}

// affine decodes a linear whole: W, and b or zeros.
func (r *RunnerOf[T]) affine(l *family.Linear) (posenc.Matrix, []float64, error) {
	w, err := r.wide(&l.Weight)
	if err != nil {
		return posenc.Matrix{}, nil, err
	}
	rows, cols := int(l.Weight.Shape[0]), int(l.Weight.Shape[1])
	b := make([]float64, rows)
	if l.Bias != nil {
		if b, err = r.wide(l.Bias); err != nil {
			return posenc.Matrix{}, nil, err
		}
	}
	return posenc.Matrix{Rows: rows, Cols: cols, Data: w}, b, nil
}

// wide decodes a weight whole to the numbers of T that a formula of posenc
// takes in float64.
func (r *RunnerOf[T]) wide(w *family.Weight) ([]float64, error) {
	v, err := r.vector(w)
	return wide(v), err
}

// added is a layer's bias with what it reads of the queries and keys at hand.
type added struct {
	posenc.Bias
	// query is (B, heads, S, width), key (B, heads, T, width).
	query, key []float64
}

// features makes the features of the pass's tokens, and the state after them.
// x is the layer's normalised input (B, S, hidden); q, k and v are heads after
// their norms and before the rotation.
func (p *pass[T]) features(ctx context.Context, bias posenc.Bias, a *family.Attention, past *State, x, q, k, v []T, next *State) (*added, error) {
	out := &added{Bias: bias}
	wq, wk := bias.Width()
	sums := len(bias.Start())
	if wq+wk+sums == 0 {
		return out, nil
	}
	in, d, dv := p.in, a.QKDim, a.VDim
	x64, q64, k64, v64 := wide(x), wide(q), wide(k), wide(v)
	out.query = make([]float64, in.rows*a.Heads*in.seq*wq)
	out.key = extend(past.Features, in.rows*a.Heads, in.past, in.seq, wk)
	next.Features, next.Sums = out.key, make([]float64, in.rows*a.Heads*sums)
	work := in.tokens() * a.Heads * (wq + wk) * d
	return out, parallel(ctx, in.rows*a.Heads, work < smallWork, func(_, i int) error {
		b, h := i/a.Heads, i%a.Heads
		g := h / (a.Heads / a.KVHeads)
		state := next.Sums[i*sums : (i+1)*sums]
		if in.past > 0 {
			copy(state, past.Sums[i*sums:])
		} else {
			copy(state, bias.Start())
		}
		for s := range in.seq {
			if in.isHidden(b, in.past+s) {
				continue
			}
			t := b*in.seq + s
			query, key := out.query[(i*in.seq+s)*wq:][:wq], out.key[(i*in.total()+in.past+s)*wk:][:wk]
			bias.Features(query, key, h, posenc.Token{
				Pos: in.positions[t], X: x64[t*p.model.Hidden:][:p.model.Hidden],
				Q: q64[(t*a.Heads+h)*d:][:d], K: k64[(t*a.KVHeads+g)*d:][:d], V: v64[(t*a.KVHeads+g)*dv:][:dv]}, state)
			round[T](query)
			round[T](key)
			round[T](state)
		}
		return nil
	})
}

// add adds the bias of queries [begin, end) to keys [first, first+n) to their
// scores, (end − begin, n). Padding is left out of the block that the bias
// sees, so that it leaves no gap on a path.
func (a *added) add(in *batch, b, h, begin, end, first, n int, scores []float64) {
	wq, wk := a.Width()
	heads, total := a.Heads(), in.total()
	block := posenc.BiasInput{}
	for s := begin; s < end; s++ {
		block.Query = append(block.Query, in.positions[b*in.seq+s])
		if wq > 0 {
			block.QueryFeatures = append(block.QueryFeatures, a.query[((b*heads+h)*in.seq+s)*wq:][:wq])
		}
	}
	var visible []int
	for j := range n {
		if in.isHidden(b, first+j) {
			continue
		}
		visible = append(visible, j)
		block.Key = append(block.Key, in.at[b*total+first+j])
		if wk > 0 {
			block.KeyFeatures = append(block.KeyFeatures, a.key[((b*heads+h)*total+first+j)*wk:][:wk])
		}
	}
	if len(visible) == n {
		a.Add(scores, h, block)
		return
	}
	packed := make([]float64, len(block.Query)*len(visible))
	for i := range block.Query {
		for k, j := range visible {
			packed[i*len(visible)+k] = scores[i*n+j]
		}
	}
	a.Add(packed, h, block)
	for i := range block.Query {
		for k, j := range visible {
			scores[i*n+j] = packed[i*len(visible)+k]
		}
	}
}
