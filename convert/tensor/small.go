package tensor

import "math"

// format describes a floating-point type narrower than float64: a sign, then
// expBits of exponent with the bias 2^(expBits-1) - 1, then manBits of mantissa.
type format struct {
	expBits, manBits uint
	max              uint32 // code of the largest finite value
	overflow, nan    uint32 // codes for magnitudes that round beyond max, and for NaN
}

var (
	formatF16  = format{5, 10, 0x7bff, 0x7c00, 0x7e00}
	formatBF16 = format{8, 7, 0x7f7f, 0x7f80, 0x7fc0}
	// E4M3 has no infinity: what is too large becomes NaN, as in PyTorch, since
	// a silent clamp to 448 would hide the overflow.
	formatE4M3 = format{4, 3, 0x7e, 0x7f, 0x7f}
	formatE5M2 = format{5, 2, 0x7b, 0x7c, 0x7e}
)

// round gives the code of the value of f nearest to x, ties to even. The one
// rounding starts from all 53 bits of x: going through float32 first would
// round twice and miss by one unit where the first rounding makes a tie.
func (f *format) round(x float64) uint32 {
	const fracBits = 52
	b := math.Float64bits(x)
	sign := uint32(b>>63) << (f.expBits + f.manBits)
	b &^= 1 << 63
	if b > 0x7ff<<fracBits {
		return sign | f.nan
	}
	minExp := 2 - 1<<(f.expBits-1) // exponent of the smallest normal value
	exp := int(b>>fracBits) - 1023
	man := b&(1<<fracBits-1) | 1<<fracBits
	shift := fracBits - f.manBits
	base := uint32(0) // the code below which the rounded mantissa counts on
	if exp < minExp {
		// man >> shift is 0 from here on, and nothing is left to round up
		// past 53 + 1 bits; this covers the subnormal float64 too, whose
		// implicit bit man wrongly has.
		shift += uint(minExp - exp)
		if shift > fracBits+2 {
			return sign
		}
	} else {
		base = uint32(exp-minExp) << f.manBits
	}
	q := man >> shift
	rest, half := man&(1<<shift-1), uint64(1)<<(shift-1)
	if rest > half || rest == half && q&1 == 1 {
		q++ // a carry out of the mantissa raises the exponent by one, as it should
	}
	code := base + uint32(q)
	if code > f.max {
		code = f.overflow
	}
	return sign | code
}

// value gives the value of a code of f, for the formats of 8 bits whose tables
// it fills.
func (f *format) value(code uint32) float32 {
	sign := 1.0
	if code>>(f.expBits+f.manBits) != 0 {
		sign = -1
	}
	code &= 1<<(f.expBits+f.manBits) - 1
	if code > f.max {
		if code == f.overflow && f.overflow != f.nan {
			return float32(math.Inf(int(sign)))
		}
		return float32(math.NaN())
	}
	exp, man := int(code>>f.manBits), float64(code&(1<<f.manBits-1))
	minExp := 2 - 1<<(f.expBits-1)
	if exp == 0 {
		exp = 1
	} else {
		man += float64(int(1) << f.manBits)
	}
	return float32(math.Copysign(math.Ldexp(man, minExp+exp-1-int(f.manBits)), sign))
}

var e4m3Table, e5m2Table = table8(&formatE4M3), table8(&formatE5M2)

func table8(f *format) *[256]float32 {
	var t [256]float32
	for i := range t {
		t[i] = f.value(uint32(i))
	}
	return &t
}

// f16ToFloat32 is exact. The exponent and mantissa of a binary16, moved up to
// their place in a binary32, are the value times 2^-112, subnormals included;
// multiplying by 2^112 normalizes them without a branch.
func f16ToFloat32(h uint16) float32 {
	const scale = 0x77800000 // bits of 2^112
	sign := uint32(h&0x8000) << 16
	abs := uint32(h&0x7fff) << 13
	if abs >= 0x7c00<<13 {
		return math.Float32frombits(sign | 0x7f800000 | abs&0x7fffff)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(abs)*math.Float32frombits(scale)))
}
