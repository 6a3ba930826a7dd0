package posenc

import (
	"fmt"
	"math"
)

// The functions here are ALiBi's exact rewrites: the same bias as a special
// case of another. They take the effective slopes β_h (ALiBi.Effective), FoX those
// above 0 or OpenGate's.

// GatedFromALiBi returns GRAPE-A with constant gates: u = v = 0 makes every
// softplus ln 2, so ω = β/ln 2 with one gate and β/(2 ln 2) with both.
func GatedFromALiBi(slopes []float64, headDim int, byQuery, byKey bool) (Gated, error) {
	gates := math.Ln2
	if byQuery && byKey {
		gates *= 2
	}
	g := Gated{Omega: scaled(slopes, 1/gates)}
	if byQuery {
		g.V = NewMatrix(len(slopes), headDim)
	}
	if byKey {
		g.U = NewMatrix(len(slopes), headDim)
	}
	return g, g.Check()
}

// PathIntegralFromALiBi returns GRAPE-AP with p = 0: log σ(0) = −ln 2, so
// β' = β/ln 2. dim is the width of p, hidden that of the layer's input.
func PathIntegralFromALiBi(slopes []float64, dim, hidden int) (PathIntegral, error) {
	p := PathIntegral{Beta: scaled(slopes, 1/math.Ln2), Dim: dim, P: NewMatrix(len(slopes)*dim, hidden)}
	return p, p.Check()
}

// OpenGate is the gate's bias at which FoX is no bias yet: log σ(40) is −4e-18 a
// position, under the rounding of a float32 score at any length that is counted in 32
// bits. Its gradient is as small.
const OpenGate = 40

// FoXFromALiBi returns FoX with w = 0: log σ(c) = −β for c = −log(e^β − 1), and
// OpenGate for a slope of 0.
func FoXFromALiBi(slopes []float64, hidden int) (FoX, error) {
	f := FoX{W: NewMatrix(len(slopes), hidden), C: make([]float64, len(slopes))}
	for h, b := range slopes {
		if !(b >= 0) || math.IsInf(b, 0) {
			return FoX{}, fmt.Errorf("fox: head %d has slope %v: a gate stays below 1, so only a slope of 0 or more has one", h, b)
		}
		// softplus(−c) = β
		f.C[h] = min(-SoftplusInverse(b), OpenGate)
	}
	return f, f.Check()
}

// KERPLEFromALiBi returns KERPLE's power form with the exponent 1, which is ALiBi.
func KERPLEFromALiBi(slopes []float64) (KERPLE, error) {
	k := KERPLE{R1: scaled(slopes, 1), R2: scaled(slopes, 0), Power: true}
	for h := range k.R2 {
		k.R2[h] = 1
	}
	return k, k.Check()
}
