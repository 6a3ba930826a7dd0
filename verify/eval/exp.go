package eval

import "math"

// A row of logits takes one exponential for each token of the vocabulary:
// math.Exp would cost more than anything else that is done with them.

const (
	expSteps = 64 // of a power of two
	perStep  = expSteps / math.Ln2
	// A step's width, split so that n·stepHigh is exact.
	stepHigh = 0x1.62e42fee00000p-7
	stepLow  = 0x1.a39ef35793c76p-39
	// smallest is where the result comes near the numbers without full precision.
	smallest = -700
)

// powers2 holds the bits of 2^(k/64).
var powers2 = func() (t [expSteps]uint64) {
	for k := range t {
		t[k] = math.Float64bits(math.Exp2(float64(k) / expSteps))
	}
	return t
}()

// expOf is e^x for x <= 0 within 1e-15 of itself, and 0 below -700: with x =
// (n/64) ln 2 + r it is 2^(n/64) times a polynomial of r.
func expOf(x float64) float64 {
	if !(x >= smallest) {
		if x != x {
			return x
		}
		return 0
	}
	n := int(x*perStep - 0.5)
	f := float64(n)
	r := x - f*stepHigh - f*stepLow
	p := 1 + r*(1+r*(1.0/2+r*(1.0/6+r*(1.0/24+r*(1.0/120)))))
	return math.Float64frombits(powers2[n&(expSteps-1)]+uint64(n>>6)<<52) * p
}
