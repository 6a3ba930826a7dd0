package posenc

import "fmt"

var foxEncoding = Encoding{Name: "fox", Title: "FoX: gates add up between key and query", Paper: "2503.02130",
	Angle: "b = Σ_{l=j+1..i} log σ(w_h·x_l + c_h)", Scale: "no"}

// FoX is the forgetting transformer's bias (arXiv 2503.02130):
//
//	b_ij = Σ_{l=j+1..i} log σ(w_h·x_l + c_h) = F_i − F_j
//
// with F the running sum of the log forget gates and x the layer's normalised
// input. b never is positive, falls with distance, and path sums add:
// b_ij + b_jm = b_im. A cache carries F per key and head.
type FoX struct {
	// W holds w_h: one row per query head, as many columns as x is wide.
	W Matrix
	// C holds c_h, the gate's bias per query head.
	C []float64
}

// Check reports whether the fields agree with each other.
func (f FoX) Check() error {
	if len(f.C) == 0 {
		return fmt.Errorf("fox: no heads")
	}
	if err := f.W.check(len(f.C), f.W.Cols); err != nil {
		return fmt.Errorf("fox: w: %w", err)
	}
	return checkFinite("fox: the gate's bias", f.C)
}

// Heads returns the number of query heads.
func (f FoX) Heads() int { return len(f.C) }

// Width returns one feature for each side: F.
func (f FoX) Width() (query, key int) { return 1, 1 }

// Start returns the running sum before the first token: 0.
func (f FoX) Start() []float64 { return []float64{0} }

// Features adds the token's log gate to the state and writes the sum F_t.
func (f FoX) Features(query, key []float64, head int, token Token, state []float64) {
	state[0] += LogSigmoid(innerProduct(f.W.Row(head), token.X) + f.C[head])
	write(query, state[0])
	write(key, state[0])
}

// Add adds the bias to a block of scores.
func (f FoX) Add(scores []float64, head int, in BiasInput) {
	in.check(f, scores, head)
	in.visible(func(at, i, j int, _ int64) {
		scores[at] += in.QueryFeatures[i][0] - in.KeyFeatures[j][0]
	})
}
