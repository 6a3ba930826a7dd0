package posenctest

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// Precision is the type that holds the extra coordinates of a lowered bias.
type Precision uint8

const (
	// Float64 rounds nothing: the algebra itself.
	Float64 Precision = iota
	// Float32 has 24 significant bits.
	Float32
	// Float16 has 11 significant bits and ends at 65504.
	Float16
	// BFloat16 has 8 significant bits and float32's range.
	BFloat16
)

// String returns the type's name.
func (p Precision) String() string {
	return [...]string{"float64", "float32", "float16", "bfloat16"}[p]
}

// Unit returns the unit roundoff: half the distance from 1 to the next number.
func (p Precision) Unit() float64 {
	return [...]float64{0x1p-53, 0x1p-24, 0x1p-11, 0x1p-8}[p]
}

// Round rounds x to the type, to nearest with ties to even.
func (p Precision) Round(x float64) float64 {
	switch p {
	case Float32:
		return float64(float32(x))
	case Float16:
		return posenc.Float16.Round(x)
	case BFloat16:
		return posenc.BFloat16.Round(x)
	default:
		return x
	}
}

// parts splits x into n numbers of the type whose sum is x up to Unit^n·|x|,
// largest first.
func (p Precision) parts(x float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = p.Round(x)
		x -= out[i]
	}
	return out
}

// digits returns how many digits of base 256 hold the positions 0 … length − 1
// exactly: 1 for float32 up to 2^24.
func (p Precision) digits(length int) (int, error) {
	last, exact := float64(max(length, 1)-1), 1/p.Unit()
	switch {
	case last <= exact:
		return 1, nil
	case last < 256*(exact+1) && p != Float32:
		return 2, nil
	case p == BFloat16 && last < 65536*(exact+1):
		return 3, nil
	}
	return 0, fmt.Errorf("%d positions: too many for %s: use a wider type or the mask form", length, p)
}

// digit returns digit number d of n of a position: j = Σ_d 256^d digit_d, the
// last one holding all that remains.
func digit(pos int64, d, n int) float64 {
	if d == n-1 {
		return float64(pos >> (8 * d))
	}
	return float64(pos >> (8 * d) & 255)
}
