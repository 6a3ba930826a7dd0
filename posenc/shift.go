package posenc

import "fmt"

// Shift is KV-shift, a feature of the key or value projection: each head mixes
// in the token before,
//
//	k_t ← a_t k_{t−1} + (1 − a_t) k_t,  a_t = σ(w·x_t),  k_{−1} = 0
//
// with both k as the projection made them, before this mixing, and x the
// layer's normalised input. A cache carries the last k so made.
type Shift struct {
	// W holds w: one row per key/value head, as many columns as x is wide.
	W Matrix
	// B is nil, or one number per head added to w·x.
	B []float64
}

// Check reports whether the fields agree with each other.
func (s Shift) Check() error {
	if s.W.Rows < 1 || s.B != nil && len(s.B) != s.W.Rows {
		return fmt.Errorf("kv-shift: %d rows of w and %d biases: expected one row per head and as many biases or none", s.W.Rows, len(s.B))
	}
	if err := s.W.check(s.W.Rows, s.W.Cols); err != nil {
		return fmt.Errorf("kv-shift: w: %w", err)
	}
	return nil
}

// Start returns the state before the first token: d zeros per head.
func (s Shift) Start(headDim int) [][]float64 {
	state := make([][]float64, s.W.Rows)
	for h := range state {
		state[h] = make([]float64, headDim)
	}
	return state
}

// Next mixes k (d numbers, one head's projection) in place with the state of
// that head and leaves the unmixed k as the new state.
func (s Shift) Next(state []float64, head int, k, x []float64) {
	logit := innerProduct(s.W.Row(head), x)
	if s.B != nil {
		logit += s.B[head]
	}
	// 1 − σ(z) is σ(−z) to the last digit, also where σ(z) rounds to 1
	a, rest := Sigmoid(logit), Sigmoid(-logit)
	for i, v := range k {
		k[i], state[i] = a*state[i]+rest*v, v
	}
}
