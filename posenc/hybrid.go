package posenc

import "fmt"

var hybridEncoding = Encoding{Name: "hybrid", Title: "GRAPE-M and a bias, to train", Paper: "2512.07805",
	Angle: "t θ_{h,p}, and the variant's b", Variants: []string{"grape-a:key", "grape-a:query", "grape-a:querykey", "grape-ap", "fox", "alibi", "kerple:power", "kerple:log"}, Slope: true, Scale: "no"}

// Hybrid is one layer's whole positional encoding: any rotation together with
// any bias. Either may be nil; both nil is NoPE.
//
//	s_ij = scale·<R_i q_i, R_j k_j> + b_ij
type Hybrid struct {
	Rotation Rotation
	Bias     Bias
}

// Check reports a bias for another number of heads, or a head size that the
// rotation does not have.
func (h Hybrid) Check(heads, headDim int) error {
	if h.Rotation != nil && h.Rotation.Size() != headDim {
		return fmt.Errorf("encoding: the rotation turns heads of size %d, the layer has %d", h.Rotation.Size(), headDim)
	}
	if h.Bias != nil && h.Bias.Heads() != heads {
		return fmt.Errorf("encoding: the bias has %d heads, the layer %d", h.Bias.Heads(), heads)
	}
	return nil
}

// Scores returns the S × T block of one head for queries and keys that are all
// tokens of one sequence: row i holds s_ij for j <= i, and −Inf is left to the
// caller's mask. tokens are all from the first on; the last queries of them
// ask. It is the definition, for tests and small references, not a kernel.
func (h Hybrid) Scores(tokens []Token, queries, head, kvHead int, scale float64) []float64 {
	t := len(tokens)
	scores := make([]float64, queries*t)
	turned := func(x []float64, token Token) []float64 {
		out, at := append([]float64(nil), x...), token.At
		if at == nil {
			at = []float64{float64(token.Pos)}
		}
		if h.Rotation != nil {
			h.Rotation.Turn(out, kvHead, at)
		}
		return out
	}
	first := t - queries
	for i := range queries {
		q := turned(tokens[first+i].Q, tokens[first+i])
		for j := range first + i + 1 {
			scores[i*t+j] = scale * innerProduct(q, turned(tokens[j].K, tokens[j]))
		}
	}
	if h.Bias == nil {
		return scores
	}
	in := Block(h.Bias, head, tokens, queries)
	h.Bias.Add(scores, head, in)
	return scores
}

// Block makes the features of a whole sequence at one head and returns the
// block in which its last queries tokens ask and all are keys.
func Block(b Bias, head int, tokens []Token, queries int) BiasInput {
	var in BiasInput
	wq, wk := b.Width()
	state := b.Start()
	for t, token := range tokens {
		q, k := make([]float64, wq), make([]float64, wk)
		b.Features(q, k, head, token, state)
		in.Key = append(in.Key, token.Pos)
		in.KeyFeatures = append(in.KeyFeatures, k)
		if t >= len(tokens)-queries {
			in.Query = append(in.Query, token.Pos)
			in.QueryFeatures = append(in.QueryFeatures, q)
		}
	}
	return in
}
