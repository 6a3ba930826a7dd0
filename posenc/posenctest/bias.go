package posenctest

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/posenc"
)

// BiasCase is one bias with what the suite needs to judge it.
type BiasCase struct {
	Bias posenc.Bias
	// Laws are those that the bias's kind promises.
	Laws posenc.Laws
	// HeadDim and Hidden are the sizes of q, k, v and of the layer's input.
	HeadDim, Hidden int
	// Direct is b_ij by the definition, for tokens of one sequence from the
	// first on: an own sum, sharing nothing with the implementation.
	Direct func(head int, tokens []posenc.Token, i, j int) float64
	// Rate is the largest rate per position, or the largest stored term, of a
	// block: what Lowering.Error asks for. Nil where there is no lowering.
	Rate func(head int, in posenc.BiasInput) float64
}

// sequence is how many tokens the laws are tried on.
const sequence = 14

// RunBias runs the laws on every head.
func RunBias(t *testing.T, c BiasCase) {
	t.Run("definition", c.definition)
	t.Run("laws", c.laws)
	t.Run("streaming", c.streaming)
	t.Run("relative law", c.relative)
	t.Run("block", c.block)
	if c.Rate == nil {
		if _, err := Lower(c.Bias, 1, Float32, 1024); !errors.Is(err, errNotLowered) {
			t.Errorf("lowered, with error %v", err)
		}
		return
	}
	for _, p := range []Precision{Float64, Float32, Float16, BFloat16} {
		t.Run("lowering "+p.String(), func(t *testing.T) { c.lowered(t, p) })
	}
}

// tokens draws a sequence that starts at a position.
func (c BiasCase) tokens(t *rapid.T, start int64) []posenc.Token {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	draw := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	out := make([]posenc.Token, sequence)
	for i := range out {
		out[i] = posenc.Token{Pos: start + int64(i), X: draw(c.Hidden), Q: draw(c.HeadDim), K: draw(c.HeadDim), V: draw(c.HeadDim)}
	}
	return out
}

func (c BiasCase) head(t *rapid.T) int { return rapid.IntRange(0, c.Bias.Heads()-1).Draw(t, "head") }

// scores returns the bias alone of the last queries tokens.
func (c BiasCase) scores(head int, tokens []posenc.Token, queries int) []float64 {
	s := make([]float64, queries*len(tokens))
	c.Bias.Add(s, head, Block(c.Bias, head, tokens, queries))
	return s
}

// slack bounds the rounding of a sum of the sequence's terms, each a product of
// HeadDim or Hidden, of the size of the largest element.
func (c BiasCase) slack(b []float64) float64 {
	largest := 0.0
	for _, v := range b {
		largest = max(largest, math.Abs(v))
	}
	return eps * float64(4*sequence+4*c.HeadDim+4*c.Hidden) * (1 + largest)
}

// definition: Add gives the definition's sum.
func (c BiasCase) definition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head, tokens := c.head(t), c.tokens(t, rapid.SampledFrom([]int64{0, 1, 1000, farthest}).Draw(t, "start"))
		b := c.scores(head, tokens, sequence)
		for i := range tokens {
			for j := range i + 1 {
				if got, want := b[i*sequence+j], c.Direct(head, tokens, i, j); !(math.Abs(got-want) <= c.slack(b)) {
					t.Errorf("b(%d, %d) is %v, want %v", i, j, got, want)
				}
			}
		}
	})
}

// laws: b_ii = 0, the sign, the order and the sums that the kind promises.
func (c BiasCase) laws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head, tokens := c.head(t), c.tokens(t, rapid.SampledFrom([]int64{0, 257, farthest}).Draw(t, "start"))
		s := c.scores(head, tokens, sequence)
		b := func(i, j int) float64 { return s[i*sequence+j] }
		slack := c.slack(s)
		for i := range sequence {
			if b(i, i) != 0 {
				t.Errorf("b(%d, %d) = %v, want 0", i, i, b(i, i))
			}
			for j := range i + 1 {
				if c.Laws.NonPositive && b(i, j) > 0 {
					t.Errorf("b(%d, %d) = %v is positive", i, j, b(i, j))
				}
				if c.Laws.FallsByKey && j > 0 && b(i, j-1) > b(i, j)+slack {
					t.Errorf("query %d: the older key %d has %v, key %d has %v", i, j-1, b(i, j-1), j, b(i, j))
				}
				if c.Laws.FallsByQuery && i+1 < sequence && b(i+1, j) > b(i, j)+slack {
					t.Errorf("key %d: the later query %d has %v, query %d has %v", j, i+1, b(i+1, j), i, b(i, j))
				}
				for m := range j + 1 {
					if sum := b(i, j) + b(j, m); c.Laws.PathSums && math.Abs(sum-b(i, m)) > slack {
						t.Errorf("b(%d, %d) + b(%d, %d) = %v, b(%d, %d) = %v", i, j, j, m, sum, i, m, b(i, m))
					}
				}
			}
		}
	})
}

// streaming: prefill, chunks and single tokens agree to the last bit, and what
// a key leaves in the cache does not depend on what follows.
func (c BiasCase) streaming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head, tokens := c.head(t), c.tokens(t, 0)
		whole := Block(c.Bias, head, tokens, sequence)
		full := c.scores(head, tokens, sequence)
		cut := rapid.IntRange(1, sequence).Draw(t, "cut")
		prefix := Block(c.Bias, head, tokens[:cut], 1)
		for j, f := range prefix.KeyFeatures {
			for i, v := range f {
				if v != whole.KeyFeatures[j][i] {
					t.Errorf("feature %d of key %d is %v alone and %v with what follows", i, j, v, whole.KeyFeatures[j][i])
				}
			}
		}
		last := c.scores(head, tokens[:cut], 1)
		for j, v := range last {
			if v != full[(cut-1)*sequence+j] {
				t.Errorf("token by token, b(%d, %d) is %v; at once, %v", cut-1, j, v, full[(cut-1)*sequence+j])
			}
		}
	})
}

// relative: a common shift of positions changes nothing where that is promised.
func (c BiasCase) relative(t *testing.T) {
	if !c.Laws.Relative {
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		head, tokens := c.head(t), c.tokens(t, 0)
		want := c.scores(head, tokens, sequence)
		offset := rapid.Int64Range(0, farthest).Draw(t, "offset")
		for i := range tokens {
			tokens[i].Pos += offset
		}
		for i, v := range c.scores(head, tokens, sequence) {
			if v != want[i] {
				t.Errorf("offset %d: element %d is %v, want %v", offset, i, v, want[i])
			}
		}
	})
}

// block: Add adds, and leaves the future alone.
func (c BiasCase) block(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head, tokens := c.head(t), c.tokens(t, 5)
		b := c.scores(head, tokens, sequence)
		s := make([]float64, len(b))
		for i := range s {
			s[i] = float64(i) + 0.25
		}
		c.Bias.Add(s, head, Block(c.Bias, head, tokens, sequence))
		for i := range sequence {
			for j := range sequence {
				at := i*sequence + j
				was := float64(at) + 0.25
				if want := was + b[at]; j <= i && math.Abs(s[at]-want) > c.slack(b)+eps*was*sequence {
					t.Errorf("element (%d, %d) became %v, want %v", i, j, s[at], want)
				}
				if j > i && s[at] != was {
					t.Errorf("the future element (%d, %d) changed from %v to %v", i, j, was, s[at])
				}
			}
		}
	})
}

// lowered: the extra coordinates give the direct bias up to the bound and to a
// constant per row, near the start and at 128k positions, and every one of them
// is a number of the precision.
func (c BiasCase) lowered(t *testing.T, p Precision) {
	const longest = 1 << 17
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]float64{1, 0.125, 1 / math.Sqrt(80)}).Draw(t, "scale")
		l, err := Lower(c.Bias, scale, p, longest)
		if err != nil {
			t.Fatal(err)
		}
		start := rapid.SampledFrom([]int64{0, 250, 65530, longest - sequence}).Draw(t, "start")
		head, tokens := c.head(t), c.tokens(t, start)
		in := Block(c.Bias, head, tokens, sequence)
		b, rate := c.scores(head, tokens, sequence), c.Rate(head, in)
		q, k := make([][]float64, sequence), make([][]float64, sequence)
		size := 0.0
		for i, token := range tokens {
			q[i], k[i] = make([]float64, l.Width), make([]float64, l.Width)
			l.Query(q[i], head, token.Pos, in.QueryFeatures[i])
			l.Key(k[i], head, token.Pos, in.KeyFeatures[i])
			for a := range l.Width {
				for _, v := range []float64{q[i][a], k[i][a]} {
					if p.Round(v) != v || math.IsInf(v, 0) {
						t.Errorf("coordinate %d of token %d is %v: no %s", a, i, v, p)
					}
				}
				size = max(size, scale*math.Abs(q[i][a]*k[i][a]))
			}
		}
		for i := range tokens {
			own := scale * dot(q[i], k[i])
			for j := range i + 1 {
				got := scale*dot(q[i], k[j]) - own
				bound := l.Error(float64(i-j), float64(tokens[j].Pos), rate) + l.Error(0, float64(tokens[i].Pos), rate) +
					c.slack(b) + eps*8*float64(l.Width)*size
				if want := b[i*sequence+j]; !(math.Abs(got-want) <= bound) {
					t.Errorf("b(%d, %d) at %d: lowered %v, direct %v: off by %.3g, bound %.3g", i, j, start, got, want, math.Abs(got-want), bound)
				}
			}
		}
	})
}
