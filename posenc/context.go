package posenc

import (
	"fmt"
	"math"
)

// ContextPhase is contextual GRAPE-M (arXiv 2512.07805, section 5): planes turn
// by Φ_t θ_p instead of t θ_p, where
//
//	Φ_t = Σ_{τ<t} σ((w·x_τ + b)/c)
//
// is an exclusive running sum over the tokens seen and x is the layer's
// normalised input. Its unit is positions: one token adds less than one. A
// cache carries the sum so far.
type ContextPhase struct {
	// W holds w: one row for a phase that all heads share, or one per
	// key/value head; as many columns as the layer's input is wide.
	W Matrix
	// B holds b, one number per row of W.
	B []float64
	// Scale is c; the official models use 16.
	Scale float64
}

// Check reports whether the fields agree with each other.
func (c ContextPhase) Check() error {
	switch {
	case c.W.Rows < 1:
		return fmt.Errorf("contextual phase: no rows of w")
	case len(c.B) != c.W.Rows:
		return fmt.Errorf("contextual phase: %d biases for %d rows of w", len(c.B), c.W.Rows)
	case !(c.Scale > 0) || math.IsInf(c.Scale, 0):
		return fmt.Errorf("contextual phase: scale %v: expected a positive number", c.Scale)
	}
	if err := c.W.check(c.W.Rows, c.W.Cols); err != nil {
		return fmt.Errorf("contextual phase: w: %w", err)
	}
	return nil
}

// Start returns the state before the first token: zeros, one per row of W.
func (c ContextPhase) Start() []float64 { return make([]float64, c.W.Rows) }

// Next writes Φ of the token with input x to phi (one number per row of W) and
// then adds the token to the state. phi may be nil.
func (c ContextPhase) Next(state, phi, x []float64) {
	if phi != nil {
		copy(phi, state)
	}
	for r := range state {
		state[r] += Sigmoid((innerProduct(c.W.Row(r), x) + c.B[r]) / c.Scale)
	}
}

// Of returns the phase that a key/value head reads.
func (c ContextPhase) Of(phi []float64, head int) float64 {
	if len(phi) == 1 {
		return phi[0]
	}
	return phi[head]
}
