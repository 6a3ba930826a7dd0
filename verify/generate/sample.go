package generate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pecvt/pecvt/posenc/hint"
)

// Sampling says how a token is drawn. With x the logits, the distribution is
//
//	p = softmax(x/Temperature)
//
// over the TopK largest of them, then over the fewest of those, the likeliest first,
// whose p sums to TopP or more (arXiv 1904.09751).
type Sampling struct {
	// Temperature 0 takes the largest logit, of several the first.
	Temperature float64
	// TopK 0 is all, TopP 0 is 1.
	TopK int
	TopP float64
	Seed uint64
}

// sampler chooses tokens.
type sampler struct {
	Sampling
	rng  *rand.Rand
	list []candidate
}

type candidate struct {
	id int64
	p  float64
}

func newSampler(s Sampling, vocab int) (*sampler, error) {
	switch {
	case s.Temperature < 0 || math.IsNaN(s.Temperature) || math.IsInf(s.Temperature, 0):
		return nil, hint.Errorf("generate: "+hint.Temperature+" %v: expected 0 (the largest logit) or more", s.Temperature)
	case s.TopK < 0:
		return nil, hint.Errorf("generate: "+hint.TopK+" %d: expected 1 or more, or 0 for all tokens", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return nil, hint.Errorf("generate: "+hint.TopP+" %v: expected a probability, or 0 for all tokens", s.TopP)
	case s.Temperature == 0 && (s.TopK > 0 || s.TopP > 0):
		return nil, hint.Errorf("generate: " + hint.TopK + " and " + hint.TopP + " have no use without " + hint.Temperature + ": the largest logit is taken")
	}
	return &sampler{Sampling: s, rng: rand.New(rand.NewPCG(s.Seed, 0)), list: make([]candidate, 0, vocab)}, nil
}

// next is the token that follows.
func (s *sampler) next(logits []float32) (int64, error) {
	top := 0
	for i, x := range logits {
		if x != x {
			return 0, fmt.Errorf("the logit of token %d is not a number: the arithmetic overflowed, or a position is outside the graph's tables", i)
		}
		if x > logits[top] {
			top = i
		}
	}
	if s.Temperature == 0 {
		return int64(top), nil
	}
	list, sum := s.list[:0], 0.0
	for i, x := range logits {
		p := math.Exp((float64(x) - float64(logits[top])) / s.Temperature)
		list, sum = append(list, candidate{int64(i), p}), sum+p
	}
	if s.TopK > 0 || s.TopP > 0 {
		list, sum = s.likeliest(list, sum)
	}
	at := s.rng.Float64() * sum
	for _, c := range list {
		if at -= c.p; at < 0 {
			return c.id, nil
		}
	}
	return list[len(list)-1].id, nil
}

// likely is a share of the largest probability: mostly the tokens above it are all
// that is asked for, and far fewer to sort.
const likely = 1e-4

// likeliest keeps what TopK and TopP keep of tokens whose weights sum to sum.
func (s *sampler) likeliest(list []candidate, sum float64) ([]candidate, float64) {
	front, mass := 0, 0.0 // the likely ones come to the front, in the order of their ids
	for i, c := range list {
		if c.p >= likely {
			list[front], list[i] = c, list[front]
			front, mass = front+1, mass+c.p
		}
	}
	if s.TopK > 0 && front >= s.TopK || s.TopK == 0 && mass >= s.TopP*sum {
		list = list[:front]
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id)) })
	if s.TopK > 0 {
		list, sum = list[:min(s.TopK, len(list))], 0
		for _, c := range list {
			sum += c.p
		}
	}
	if s.TopP == 0 {
		return list, sum
	}
	kept, n := 0.0, 0
	for n < len(list) && kept < s.TopP*sum {
		kept += list[n].p
		n++
	}
	return list[:n], kept
}
