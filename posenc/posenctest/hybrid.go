package posenctest

import "github.com/pecvt/pecvt/posenc"

// Hybrid is one layer's whole positional encoding: any rotation together with
// any bias. Either may be nil; both nil is NoPE.
//
//	s_ij = scale·<R_i q_i, R_j k_j> + b_ij
type Hybrid struct {
	Rotation posenc.Rotation
	Bias     posenc.Bias
}

// Scores returns the S × T block of one head for queries and keys that are all
// tokens of one sequence: row i holds s_ij for j <= i, and −Inf is left to the
// caller's mask. tokens are all from the first on; the last queries of them
// ask. at holds the place that each turns to, such as a contextual phase; nil is
// its position. It is the definition, not a kernel.
func (h Hybrid) Scores(tokens []posenc.Token, at [][]float64, queries, head, kvHead int, scale float64) []float64 {
	t := len(tokens)
	scores := make([]float64, queries*t)
	turned := func(x []float64, i int) []float64 {
		out, place := cloned(x), []float64{float64(tokens[i].Pos)}
		if at != nil {
			place = at[i]
		}
		if h.Rotation != nil {
			h.Rotation.Turn(out, kvHead, place)
		}
		return out
	}
	first := t - queries
	for i := range queries {
		q := turned(tokens[first+i].Q, first+i)
		for j := range first + i + 1 {
			scores[i*t+j] = scale * dot(q, turned(tokens[j].K, j))
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
func Block(b posenc.Bias, head int, tokens []posenc.Token, queries int) posenc.BiasInput {
	var in posenc.BiasInput
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
