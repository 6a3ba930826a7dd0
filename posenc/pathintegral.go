package posenc

import (
	"fmt"
	"math"
)

var pathEncoding = Encoding{Name: "grape-ap", Title: "GRAPE-AP: a path of gates between key and query", Paper: "2512.07805",
	Angle: "b = Σ_{l=j+1..i} β_h log σ(<p_i, R_l p̂_l>/d_p)", Scale: "no"}

// Tie says where GRAPE-AP takes its path vector p from.
type Tie uint8

const (
	// Untied projects p from the layer's normalised input.
	Untied Tie = iota
	// TieQ, TieK and TieV take the head's query, key or value, after their
	// norms.
	TieQ
	TieK
	TieV
)

// String returns "none", "q", "k" or "v".
func (t Tie) String() string { return [...]string{"none", "q", "k", "v"}[t] }

// pathEps is inside p's root mean square: float32's machine epsilon.
const pathEps = 0x1p-23

// PathIntegral is GRAPE-AP (arXiv 2512.07805, section 4, as the official
// models run it):
//
//	b_ij = Σ_{l=j+1..i} β_h log σ(<p_i, R_l p̂_l>/d_p),  p̂ = p/√(mean p² + 2^-23)
//
// where R_l turns every plane (halves) by −l radians and p_i stays as it is. b
// never is positive where β_h >= 0, and for one query it falls with distance.
// Since p_i does not turn, b depends on absolute positions, not on i − j alone.
type PathIntegral struct {
	// Beta holds β_h per query head, in score units per position and log gate.
	Beta []float64
	// Dim is d_p, even: the width of p. Tied, it is the head size.
	Dim int
	Tie Tie
	// P is the projection where Untied: (heads·d_p, hidden).
	P Matrix
}

// Check reports whether the fields agree with each other.
func (p PathIntegral) Check() error {
	if len(p.Beta) == 0 || p.Dim < 2 || p.Dim%2 != 0 {
		return fmt.Errorf("grape-ap: %d heads with path vectors of %d numbers: expected heads and an even number", len(p.Beta), p.Dim)
	}
	if err := checkFinite("grape-ap: beta", p.Beta); err != nil {
		return err
	}
	if p.Tie == Untied {
		if err := p.P.check(len(p.Beta)*p.Dim, p.P.Cols); err != nil {
			return fmt.Errorf("grape-ap: the projection: %w", err)
		}
	}
	return nil
}

// Heads returns the number of query heads.
func (p PathIntegral) Heads() int { return len(p.Beta) }

// Width returns d_p for both: p_i of a query, R_l p̂_l of a key.
func (p PathIntegral) Width() (query, key int) { return p.Dim, p.Dim }

// Start returns nil: the sum runs over keys, not over time.
func (p PathIntegral) Start() []float64 { return nil }

// Features writes p_t for the query and R_t p̂_t for the key.
func (p PathIntegral) Features(query, key []float64, head int, token Token, _ []float64) {
	v := p.vector(head, token)
	if query != nil {
		copy(query, v)
	}
	if key == nil {
		return
	}
	square := 0.0
	for _, x := range v {
		square += x * x
	}
	rms := math.Sqrt(square/float64(p.Dim) + pathEps)
	s, c := math.Sincos(float64(token.Pos))
	half := p.Dim / 2
	for k := range half {
		a, b := v[k]/rms, v[k+half]/rms
		key[k], key[k+half] = a*c+b*s, b*c-a*s
	}
}

func (p PathIntegral) vector(head int, token Token) []float64 {
	switch p.Tie {
	case TieQ:
		return token.Q
	case TieK:
		return token.K
	case TieV:
		return token.V
	}
	out := make([]float64, p.Dim)
	for k := range out {
		out[k] = innerProduct(p.P.Row(head*p.Dim+k), token.X)
	}
	return out
}

// Add adds the bias to a block of scores. The block's keys must reach without a
// gap from the first to each query's own position, or the path has holes.
func (p PathIntegral) Add(scores []float64, head int, in BiasInput) {
	in.check(p, scores, head)
	for i, pi := range in.Query {
		sum := 0.0
		for j := len(in.Key) - 1; j >= 0; j-- {
			if in.Key[j] > pi {
				continue
			}
			scores[i*len(in.Key)+j] += sum
			gate := innerProduct(in.QueryFeatures[i], in.KeyFeatures[j]) / float64(p.Dim)
			sum += p.Beta[head] * LogSigmoid(gate)
		}
	}
}
