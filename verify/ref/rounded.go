package ref

import "github.com/pecvt/pecvt/convert/family"

// Rounded returns a runner of the same model whose constants are rounded once
// to float32, as the graph that holds them has them: cos and sin of positions,
// the scale of the scores, the ε of norms, and a bias's slopes and gate vectors
// (which a graph may hold divided by the scale: then it rounds another number, by
// no more). Everything else stays in float64: what differs between the two
// runners is that rounding alone.
func (r *RunnerOf[T]) Rounded() *RunnerOf[T] {
	m := *r.model
	m.Blocks = append([]family.Block(nil), m.Blocks...)
	round := func(x *float64) { *x = float64(float32(*x)) }
	norm := func(n *family.Norm) *family.Norm {
		if n == nil {
			return nil
		}
		c := *n
		round(&c.Eps)
		return &c
	}
	for i := range m.Blocks {
		b := &m.Blocks[i]
		round(&b.Attn.Scale)
		round(&b.AttnNorm.Eps)
		round(&b.MLPNorm.Eps)
		b.Attn.Bias = roundedBias(b.Attn.Bias)
		b.Attn.QNorm, b.Attn.KNorm, b.Attn.HeadNorm = norm(b.Attn.QNorm), norm(b.Attn.KNorm), norm(b.Attn.HeadNorm)
	}
	round(&m.FinalNorm.Eps)
	m.EmbedNorm = norm(m.EmbedNorm)
	return &RunnerOf[T]{model: &m, src: r.src, roundTables: true}
}

func roundedBias(b *family.Bias) *family.Bias {
	if b == nil {
		return nil
	}
	round := func(row []float64) []float64 {
		if row == nil {
			return nil
		}
		out := make([]float64, len(row))
		for i, v := range row {
			out[i] = float64(float32(v))
		}
		return out
	}
	rows := func(list [][]float64) [][]float64 {
		if list == nil {
			return nil
		}
		out := make([][]float64, len(list))
		for i, row := range list {
			out[i] = round(row)
		}
		return out
	}
	c := *b
	c.Slopes, c.U, c.V = round(b.Slopes), rows(b.U), rows(b.V)
	c.Eps = float64(float32(b.Eps))
	return &c
}
