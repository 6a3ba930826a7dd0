package posenc

import "math"

// Precision is a type of 16 bits that tables and runs round to.
type Precision uint8

const (
	// Float16 has 11 significant bits and ends at 65504.
	Float16 Precision = iota + 1
	// BFloat16 has 8 significant bits and float32's range.
	BFloat16
)

// Round rounds x to the type, to nearest with ties to even; too large a number
// becomes infinite.
func (p Precision) Round(x float64) float64 {
	if p == Float16 {
		return roundTo(x, 11, -14, 65504)
	}
	return roundTo(x, 8, -126, 0x1.fep127)
}

// roundTo rounds to bits significant bits with the exponent of the smallest
// normal number and the largest finite one.
func roundTo(x float64, bits, minExp int, largest float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	_, e := math.Frexp(x) // |x| in [2^(e−1), 2^e)
	step := math.Ldexp(1, max(e-1, minExp)-bits+1)
	y := math.RoundToEven(x/step) * step
	if math.Abs(y) > largest {
		return math.Inf(int(math.Copysign(1, x)))
	}
	return y
}
