package ref

// Rounded returns a runner of the same model whose constants are rounded once
// to float32, as the graph that holds them has them: cos and sin of positions,
// the scale of the scores, the ε of norms, and a bias's slopes and gate vectors
// (which a graph may hold divided by the scale: then it rounds another number, by
// no more). Everything else stays in float64: what differs between the two
// runners is that rounding alone.
func (r *RunnerOf[T]) Rounded() *RunnerOf[T] {
	if r.model.Beyond(known...) != nil {
		return r // which refuses to run
	}
	m := r.model.Clone()
	for _, part := range m.Parts() {
		for _, n := range part.Numbers {
			n.Edit(func(x float64) float64 { return float64(float32(x)) })
		}
	}
	return &RunnerOf[T]{model: m, src: r.src, roundTables: true}
}
