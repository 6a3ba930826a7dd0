package posenc

import "fmt"

// Bias is the second of the two seams of an attention layer: it adds b_ij to
// the score of query i and key j. The score is scale·<q_i, k_j> + b_ij, and
// b_ii = 0.
//
// What b_ij reads of its two tokens are their features, made once per token: a
// key's features enter a cache when the key does and never change, whatever
// comes later. Implementations are safe for concurrent use.
type Bias interface {
	// Heads returns the number of query heads n; every method takes one of them.
	Heads() int
	// Width returns how many features a query and a key carry per head.
	Width() (query, key int)
	// Start returns a head's running state before the first token, or nil.
	Start() []float64
	// Features writes one token's features at one head to query and key (of
	// Width's lengths; nil writes none) and moves the state on. Tokens come in
	// order of position, each once per head.
	Features(query, key []float64, head int, token Token, state []float64)
	// Add adds b_ij to an S × T block of scores, row-major, for key positions
	// j <= i; it leaves other elements alone.
	Add(scores []float64, head int, in BiasInput)
}

// Token is what a bias may read of one token at one head.
type Token struct {
	// Pos is the position t.
	Pos int64
	// X is the layer's normalised input (hidden numbers).
	X []float64
	// Q is the head's query, K and V the key and value it reads (d numbers
	// each), after projection, KV-shift and their norms, before rotation.
	Q, K, V []float64
}

// BiasInput is a block of S queries and T keys at one head. Keys are in
// ascending order of position; padding is left out.
type BiasInput struct {
	// Query and Key hold the positions: S and T numbers.
	Query, Key []int64
	// QueryFeatures and KeyFeatures hold one row per token, as Features made
	// them for this head; nil where the width is 0.
	QueryFeatures, KeyFeatures [][]float64
}

// check panics on a block whose parts do not fit: a programmer's error.
func (in BiasInput) check(b Bias, scores []float64, head int) {
	wq, wk := b.Width()
	s, t := len(in.Query), len(in.Key)
	switch {
	case len(scores) != s*t:
		panic(fmt.Sprintf("posenc: %T.Add: %d scores for %d queries and %d keys", b, len(scores), s, t))
	case head < 0 || head >= b.Heads():
		panic(fmt.Sprintf("posenc: %T.Add: head %d of %d", b, head, b.Heads()))
	case wq > 0 && len(in.QueryFeatures) != s, wk > 0 && len(in.KeyFeatures) != t:
		panic(fmt.Sprintf("posenc: %T.Add: features of %d queries and %d keys for %d and %d", b, len(in.QueryFeatures), len(in.KeyFeatures), s, t))
	}
}

// visible calls f for every pair of the block with j <= i.
func (in BiasInput) visible(f func(at, i, j int, distance int64)) {
	for i, pi := range in.Query {
		for j, pj := range in.Key {
			if pj <= pi {
				f(i*len(in.Key)+j, i, j, pi-pj)
			}
		}
	}
}

// noFeatures serves the biases that read positions alone.
type noFeatures struct{}

func (noFeatures) Width() (query, key int)                              { return 0, 0 }
func (noFeatures) Start() []float64                                     { return nil }
func (noFeatures) Features(_, _ []float64, _ int, _ Token, _ []float64) {}

// write stores one feature where the caller wants it.
func write(dst []float64, v float64) {
	if dst != nil {
		dst[0] = v
	}
}

// checkFinite reports numbers that are not finite.
func checkFinite(what string, v []float64) error {
	for h, x := range v {
		if x-x != 0 {
			return fmt.Errorf("%s of head %d is %v: expected a finite number", what, h, x)
		}
	}
	return nil
}
