// Package posenctest is the conformance suite of package posenc: every rotation
// and every bias passes the same laws, at far offsets, against a matrix
// exponential and against its own lowering. Tests import it; nothing else does.
//
// Tolerances are not tuned. Each is a count of roundings: eps = 2^-53 per
// operation and unit of magnitude, times the number of operations in the longest
// sum, plus the rounding of an angle θ·t, which is eps·θ·|t| radians and is what
// grows with the position.
package posenctest

import "math"

// eps is float64's unit roundoff.
const eps = 0x1p-53

// farthest is the largest offset the laws are tried at.
const farthest = 1 << 20

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func length(a []float64) float64 { return math.Sqrt(dot(a, a)) }

func cloned(a []float64) []float64 { return append([]float64(nil), a...) }
