package report

// Logits are a model's answers, row-major (B, S, V).
type Logits struct {
	B, S, V int
	Data    []float64
}

// At returns the V logits of position s of row b.
func (l *Logits) At(b, s int) []float64 {
	i := (b*l.S + s) * l.V
	return l.Data[i : i+l.V]
}
