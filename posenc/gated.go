package posenc

import (
	"fmt"
	"math"
)

var gatedEncoding = Encoding{Name: "grape-a", Title: "GRAPE-A: ALiBi that keys or queries gate", Paper: "2512.07805",
	Angle: "b = −(i−j) ω_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d))", Variants: []string{"key", "query", "querykey"}, Scale: "no"}

// Gated is GRAPE-A, ALiBi whose slope reads the tokens (arXiv 2512.07805,
// section 4):
//
//	b_ij = −(i − j) ω_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d))
//
// with both terms (query-key-gated), the first alone (query-gated) or the
// second alone (key-gated). q and k are the token's after their norms, before
// any rotation. b never is positive where ω_h >= 0.
type Gated struct {
	// Omega holds ω_h per query head, in score units per position. Official
	// checkpoints store it through Omega.
	Omega []float64
	// V holds v_h: one row of d numbers per query head; empty if queries do
	// not gate. U holds u_h likewise, for keys. Official checkpoints store
	// both before NormalizeRows.
	V, U Matrix
}

// Omega returns ω_h = softplus(param_h)·slope_h, the official parametrisation
// with slopes of Slopes(n).
func Omega(param, slope []float64) []float64 {
	out := make([]float64, len(param))
	for h, p := range param {
		out[h] = Softplus(p) * slope[h]
	}
	return out
}

// NormalizeRows returns m with every row divided by max(its length, eps), as
// official GRAPE-A does to u and v with eps 1e-6. A row of zeros stays.
func NormalizeRows(m Matrix, eps float64) Matrix {
	out := m.Clone()
	for i := range m.Rows {
		n := max(norm(m.Row(i)), eps)
		for j, v := range m.Row(i) {
			out.Set(i, j, v/n)
		}
	}
	return out
}

// Check reports whether the fields agree with each other.
func (g Gated) Check() error {
	if len(g.Omega) == 0 || !g.byQuery() && !g.byKey() {
		return fmt.Errorf("grape-a: %d heads, %d rows of v and %d of u: expected heads and at least one gate", len(g.Omega), g.V.Rows, g.U.Rows)
	}
	if err := checkFinite("grape-a: omega", g.Omega); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		Matrix
	}{{"v", g.V}, {"u", g.U}} {
		if m.Rows == 0 {
			continue
		}
		if err := m.check(len(g.Omega), m.Cols); err != nil {
			return fmt.Errorf("grape-a: %s: %w", m.name, err)
		}
	}
	return nil
}

func (g Gated) byQuery() bool { return g.V.Rows > 0 }
func (g Gated) byKey() bool   { return g.U.Rows > 0 }

// Heads returns the number of query heads.
func (g Gated) Heads() int { return len(g.Omega) }

// Width returns one feature on each gated side: the rate ω·softplus(…).
func (g Gated) Width() (query, key int) {
	if g.byQuery() {
		query = 1
	}
	if g.byKey() {
		key = 1
	}
	return query, key
}

// Start returns nil: the gates need no history.
func (g Gated) Start() []float64 { return nil }

// Features writes ω softplus(v·q/√d) and ω softplus(u·k/√d).
func (g Gated) Features(query, key []float64, head int, token Token, _ []float64) {
	if g.byQuery() {
		write(query, g.rate(g.V.Row(head), token.Q, head))
	}
	if g.byKey() {
		write(key, g.rate(g.U.Row(head), token.K, head))
	}
}

func (g Gated) rate(w, x []float64, head int) float64 {
	return g.Omega[head] * Softplus(innerProduct(w, x)/math.Sqrt(float64(len(x))))
}

// Add adds the bias to a block of scores.
func (g Gated) Add(scores []float64, head int, in BiasInput) {
	in.check(g, scores, head)
	in.visible(func(at, i, j int, distance int64) {
		rate := 0.0
		if g.byQuery() {
			rate += in.QueryFeatures[i][0]
		}
		if g.byKey() {
			rate += in.KeyFeatures[j][0]
		}
		scores[at] -= float64(distance) * rate
	})
}
