package posenctest

import (
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/posenc"
)

// Lowering is a bias as extra coordinates: with q̂ = [q; Query(…)] and
// k̂ = [k; Key(…)],
//
//	scale·<q̂_i, k̂_j> = scale·<q_i, k_j> + b_ij + (terms in i alone)
//
// and softmax ignores what is constant along a row. Scores then need no S × T
// tensor, and any attention kernel runs them. Every coordinate is a number of
// the precision asked for; products are summed in float32 or wider, as
// attention kernels do.
//
// Sixteen bits do not hold positions, so there a position is split into digits,
// j = 256 a + c, and a number into parts, hi + lo, over as many coordinates.
// What multiplies i and what multiplies j is one rounded number, so that the
// error is that of the rate, in proportion to i − j: Rate gives it.
type Lowering struct {
	// Width is the number of extra coordinates.
	Width int
	// Shared reports that a key's coordinates do not depend on the head: one
	// set serves all query heads that read the key.
	Shared bool
	// Query and Key write Width coordinates of a token at a query head. The
	// features are those that the bias made for it.
	Query, Key func(dst []float64, head int, pos int64, features []float64)
	// Error bounds the difference from the direct bias that the coordinates'
	// rounding makes, for a distance n = i − j, a key position j and a rate ω in
	// score units per position; where whole terms are stored (FoX, rounded
	// ALiBi) rate is the largest of them. A kernel's own rounding, that of a
	// float32 sum of the size of the coordinates' products, comes on top.
	// Float16 needs rate/scale <= 31.
	Error func(distance, pos, rate float64) float64
}

// errNotLowered is what a bias is that does not split.
var errNotLowered = errors.New("no form as extra coordinates")

// Lower returns a bias as extra coordinates of q and k, up to terms constant along a
// row. ALiBi drops the term in i: q̂ = [q; β/scale], k̂ = [k; j], one pair of
// coordinates for every head; rounded, it keeps its rounded terms, q̂ = [q; 1],
// k̂ = [k; term/scale]. GRAPE-A splits (j − i)(g_i + g_j): the query's gate loses its
// term in i and needs q̂ = [q; g_i/scale], k̂ = [k; j]; the key's needs
// q̂ = [q; −i; 1], k̂ = [k; g_j/scale; j g_j/scale]. FoX drops F_i: q̂ = [q; 1],
// k̂ = [k; −F_j/scale].
func Lower(b posenc.Bias, scale float64, p Precision, length int) (*Lowering, error) {
	first := func(_ int, features []float64) float64 { return features[0] }
	switch b := b.(type) {
	case posenc.ALiBi:
		if b.BF16 {
			r := posenc.BFloat16.Round
			return lowerTerm(scale, p, func(head int, pos int64, _ []float64) float64 {
				return b.Factor * r(r(b.Slope[head])*r(float64(pos)))
			}), nil
		}
		return lowerRate(scale, p, length, func(head int, _ []float64) float64 { return b.Factor * b.Slope[head] })
	case posenc.FoX:
		return lowerTerm(scale, p, func(_ int, _ int64, features []float64) float64 { return -features[0] }), nil
	case posenc.Gated:
		switch {
		case b.U.Rows == 0:
			return lowerRate(scale, p, length, first)
		case b.V.Rows == 0:
			return lowerKeyRate(scale, p, length, first)
		}
		query, err := lowerRate(scale, p, length, first)
		if err != nil {
			return nil, err
		}
		key, err := lowerKeyRate(scale, p, length, first)
		if err != nil {
			return nil, err
		}
		return joined(query, key), nil
	}
	return nil, fmt.Errorf("%T: %w", b, errNotLowered)
}

// rateParts is how many parts hold a rate, and productParts how many hold its
// product with a digit exactly.
func (p Precision) rateParts() int {
	if p == Float16 || p == BFloat16 {
		return 2
	}
	return 1
}

func (p Precision) productParts() int {
	if p == Float16 || p == BFloat16 {
		return 3
	}
	return 1
}

// rate rounds a rate to what its parts hold together, one run of bits without a
// gap: its product with a digit then fits productParts exactly.
func (p Precision) rate(x float64) float64 {
	switch p {
	case Float16:
		return oneRun(x, 22, -3)
	case BFloat16:
		return oneRun(x, 16, -118)
	}
	return p.Round(x)
}

// oneRun rounds to bits significant bits, none below those of the exponent minExp.
func oneRun(x float64, bits, minExp int) float64 {
	_, e := math.Frexp(x)
	step := math.Ldexp(1, max(e-1, minExp)-bits+1)
	return math.RoundToEven(x/step) * step
}

// base returns 256^d.
func base(d int) float64 { return float64(int64(1) << (8 * d)) }

// rateError bounds |ω̃ − ω| for a rate rounded to parts, subnormals included.
func (p Precision) rateError(rate, scale float64) float64 {
	relative, tiny := 1.0, 0.0
	for range p.rateParts() {
		relative *= p.Unit()
	}
	if p == Float16 {
		tiny = 0x1p-25 * scale
	}
	return relative*rate + tiny
}

// lowerRate lowers b = (j − i)·ω with ω known to the query: ω j remains.
func lowerRate(scale float64, p Precision, length int, rate func(head int, features []float64) float64) (*Lowering, error) {
	nd, err := p.digits(length)
	if err != nil {
		return nil, err
	}
	np := p.rateParts()
	return &Lowering{
		Width: nd * np, Shared: true,
		Query: func(dst []float64, head int, _ int64, features []float64) {
			for a, v := range p.parts(p.rate(rate(head, features)/scale), np) {
				for d := range nd {
					dst[a*nd+d] = v * base(d)
				}
			}
		},
		Key: func(dst []float64, _ int, pos int64, _ []float64) {
			for at := range dst {
				dst[at] = p.Round(digit(pos, at%nd, nd))
			}
		},
		Error: func(distance, _, rate float64) float64 { return distance * p.rateError(rate, scale) },
	}, nil
}

// lowerKeyRate lowers b = (j − i)·ω with ω known to the key.
func lowerKeyRate(scale float64, p Precision, length int, rate func(head int, features []float64) float64) (*Lowering, error) {
	nd, err := p.digits(length)
	if err != nil {
		return nil, err
	}
	np, nx := p.rateParts(), p.productParts()
	return &Lowering{
		Width: nd * (np + nx),
		Query: func(dst []float64, _ int, pos int64, _ []float64) {
			for d := range nd {
				for a := range np {
					dst[d*(np+nx)+a] = -p.Round(digit(pos, d, nd))
				}
				for x := range nx {
					dst[d*(np+nx)+np+x] = base(d)
				}
			}
		},
		Key: func(dst []float64, head int, pos int64, features []float64) {
			rounded := p.rate(rate(head, features) / scale)
			for d := range nd {
				for a, v := range p.parts(rounded, np) {
					dst[d*(np+nx)+a] = v * base(d)
				}
				copy(dst[d*(np+nx)+np:], p.parts(digit(pos, d, nd)*rounded, nx))
			}
		},
		Error: func(distance, pos, rate float64) float64 {
			e := distance * p.rateError(rate, scale)
			if nx == 1 { // the one product j·ω̃ is rounded
				e += pos * rate * p.Unit() * (1 + p.Unit())
			}
			return e
		},
	}, nil
}

// lowerTerm lowers b = v_j − v_i with v_j known to the key, of any size.
func lowerTerm(scale float64, p Precision, term func(head int, pos int64, features []float64) float64) *Lowering {
	n := p.productParts()
	return &Lowering{
		Width: n,
		Query: func(dst []float64, _ int, _ int64, _ []float64) {
			for a := range dst {
				dst[a] = 1
			}
			if n > 1 {
				dst[0] = base(1) // the largest part may exceed float16's range
			}
		},
		Key: func(dst []float64, head int, pos int64, features []float64) {
			v := term(head, pos, features) / scale
			if n == 1 {
				dst[0] = p.Round(v)
				return
			}
			dst[0] = p.Round(v / base(1))
			copy(dst[1:], p.parts(v-dst[0]*base(1), n-1))
		},
		Error: func(_, _, rate float64) float64 {
			relative := 1.0
			for range n {
				relative *= p.Unit()
			}
			e := 2 * relative * rate
			if p == Float16 {
				e += 2 * 0x1p-25 * scale
			}
			return e
		},
	}
}

// joined appends the coordinates of b to those of a.
func joined(a, b *Lowering) *Lowering {
	return &Lowering{
		Width: a.Width + b.Width, Shared: a.Shared && b.Shared,
		Query: func(dst []float64, head int, pos int64, features []float64) {
			a.Query(dst[:a.Width], head, pos, features)
			b.Query(dst[a.Width:], head, pos, features)
		},
		Key: func(dst []float64, head int, pos int64, features []float64) {
			a.Key(dst[:a.Width], head, pos, features)
			b.Key(dst[a.Width:], head, pos, features)
		},
		Error: func(distance, pos, rate float64) float64 {
			return a.Error(distance, pos, rate) + b.Error(distance, pos, rate)
		},
	}
}
