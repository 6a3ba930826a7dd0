package tensor

import "math"

// nanE8M0 is the one code of E8M0 that is no power of two.
const nanE8M0 = 0xff

// decodeE8M0 gives 2^(code − 127).
func decodeE8M0[F float32 | float64](dst []F, src []byte) {
	for i := range dst {
		dst[i] = F(math.Ldexp(1, int(src[i])-127))
		if src[i] == nanE8M0 {
			dst[i] = F(math.NaN())
		}
	}
}

// roundE8M0 gives the code of the power of two nearest to x, of two the even code;
// the smallest for what is smaller, NaN for what is too large or not positive.
func roundE8M0(x float64) byte {
	if !(x > 0) || math.IsInf(x, 1) {
		return nanE8M0
	}
	fraction, exp := math.Frexp(x) // x = fraction · 2^exp with fraction in [½, 1)
	code := exp - 1 + 127
	if fraction > 0.75 || fraction == 0.75 && code&1 == 1 {
		code++
	}
	if code >= nanE8M0 {
		return nanE8M0
	}
	return byte(max(code, 0))
}
