package ref

import "github.com/pecvt/pecvt/convert/family"

// Rounded returns a runner of the same model whose constants are rounded once
// to float32, as the graph that holds them has them: cos and sin of positions,
// the scale of the scores and the ε of norms. Everything else stays in float64:
// what differs between the two runners is that rounding alone.
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
		b.Attn.QNorm, b.Attn.KNorm, b.Attn.HeadNorm = norm(b.Attn.QNorm), norm(b.Attn.KNorm), norm(b.Attn.HeadNorm)
	}
	round(&m.FinalNorm.Eps)
	m.EmbedNorm = norm(m.EmbedNorm)
	return &RunnerOf[T]{model: &m, src: r.src, roundTables: true}
}
