package retrofit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
)

// Walk is a float32 forward pass of the source, layer by layer, over one
// sequence at positions 0…S−1. verify/ref has one.
type Walk interface {
	// Embed returns the residual stream (S, hidden) of token ids.
	Embed(ids []int64) ([]float32, error)
	// Input returns what the layer's W_q, W_k and W_v read: its norm of x,
	// (S, hidden). It may be x's own memory or memory that the next call uses.
	Input(layer int, x []float32) ([]float32, error)
	// Advance replaces x by the layer's output.
	Advance(layer int, x []float32) error
}

// Measured is what a model with a selection does to a text, against the source.
type Measured struct {
	// PPL and SourcePPL are perplexities, KL the mean KL(source ‖ model) of the
	// next-token distributions in nats.
	PPL       float64 `json:"ppl,omitempty"`
	SourcePPL float64 `json:"source_ppl,omitempty"`
	KL        float64 `json:"kl,omitempty"`
}

// String says what was found.
func (m Measured) String() string {
	return fmt.Sprintf("perplexity %.5g against the source's %.5g (%+.2f%%), KL %.3g nats", m.PPL, m.SourcePPL, 100*(m.PPL/m.SourcePPL-1), m.KL)
}

// MarshalJSON writes a figure that is not finite as null.
func (m Measured) MarshalJSON() ([]byte, error) {
	return json.Marshal(m.figures()) // in the order of names
}

// figures are those that were measured; null is one that is not finite.
func (m Measured) figures() map[string]any {
	figures := map[string]any{}
	for name, x := range map[string]float64{"ppl": m.PPL, "source_ppl": m.SourcePPL, "kl": m.KL} {
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			figures[name] = nil
		case x != 0:
			figures[name] = x
		}
	}
	return figures
}

// Reached is what a result makes of a text that is longer than its source was trained at.
type Reached struct {
	// PPL is its perplexity, and SourcePPL that of the source, which reads the text in
	// pieces of Piece tokens, each by itself: both of the tokens in the second halves of
	// the pieces but the first, where the source sees Piece/2 tokens or more and the
	// result all that are before.
	PPL       float64 `json:"ppl"`
	SourcePPL float64 `json:"source_ppl"`
	// Length is how long the text is.
	Length int `json:"length"`
	Piece  int `json:"piece"`
	// Bands are the perplexities by position, up to Piece and beyond it.
	Bands []ReachedBand `json:"by_position,omitempty"`
}

// ReachedBand is a range of positions of what was reached, From and To included; it lies
// before position Reached.Piece or from it on.
type ReachedBand struct {
	From int `json:"from"`
	To   int `json:"to"`
	// PPL is the result's perplexity in the range; SourcePPL the source's of the tokens that
	// it is compared by: of those before Piece, where both read the same, and beyond it of
	// those in the second halves of its pieces. OfSource is the result's of these over it.
	PPL       float64 `json:"ppl"`
	SourcePPL float64 `json:"source_ppl"`
	OfSource  float64 `json:"of_source"`
}

// MarshalJSON writes a figure that is not finite as null.
func (b ReachedBand) MarshalJSON() ([]byte, error) {
	figures := map[string]any{"from": b.From, "to": b.To}
	for name, x := range map[string]float64{"ppl": b.PPL, "source_ppl": b.SourcePPL, "of_source": b.OfSource} {
		if figures[name] = any(x); math.IsNaN(x) || math.IsInf(x, 0) {
			figures[name] = nil
		}
	}
	return json.Marshal(figures)
}

// String says what was found.
func (r Reached) String() string {
	return fmt.Sprintf("perplexity %.5g from %d to %d positions, where the source, reading the same in pieces of %d, has %.5g (%+.2f%%)", r.PPL, r.Piece, r.Length, r.Piece, r.SourcePPL, 100*(r.PPL/r.SourcePPL-1))
}

// MarshalJSON writes a figure that is not finite as null.
func (r Reached) MarshalJSON() ([]byte, error) {
	figures := Measured{PPL: r.PPL, SourcePPL: r.SourcePPL}.figures()
	figures["length"], figures["piece"] = r.Length, r.Piece
	if r.Bands != nil {
		figures["by_position"] = r.Bands
	}
	return json.Marshal(figures)
}

// Measure runs the model with the selection's spectra over a text that Costs
// did not see.
type Measure func(ctx context.Context, s *Selection) (Measured, error)

// Progress is how far a long computation has come.
type Progress struct {
	// Stage is "walk", "costs", "measure" or "calibrate".
	Stage string
	// Layer of Layers is at work; in "measure", the measurement of at most so
	// many.
	Layer, Layers int
	// Step of Steps, in "calibrate".
	Step, Steps int
	// Before and After are held-out attention KLs of a layer that is done.
	Before, After float64
	// Seconds is the estimated rest; negative where nothing is known yet.
	Seconds float64
}
