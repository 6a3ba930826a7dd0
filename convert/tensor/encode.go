package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Encode64 converts src to little-endian elements of type d in dst, with one
// rounding, to nearest, ties to even. Magnitudes beyond the largest finite value
// become infinity, or NaN in F8E4M3, which has no infinity; in F8E8M0 so do 0 and
// negative ones. An integer type or
// Bool takes only values that it represents exactly; any other is an error that
// names the element. A block format rounds twice, its scale and its codes, as its
// own doc says. It returns an error if dst does not hold exactly len(src)
// elements.
func Encode64(dst []byte, src []float64, d DType) error { return encode(dst, src, d) }

// Encode32 is [Encode64] for float32 values: exact for F32 and F64, one rounding
// for the narrower types.
func Encode32(dst []byte, src []float32, d DType) error { return encode(dst, src, d) }

func encode[F float32 | float64](dst []byte, src []F, d DType) error {
	if err := lengths(len(src), len(dst), d); err != nil {
		return err
	}
	switch d {
	case F64:
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(x)))
		}
	case F32:
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(float32(x)))
		}
	case F16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(formatF16.round(float64(x))))
		}
	case BF16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(formatBF16.round(float64(x))))
		}
	case F8E4M3:
		for i, x := range src {
			dst[i] = byte(formatE4M3.round(float64(x)))
		}
	case F8E5M2:
		for i, x := range src {
			dst[i] = byte(formatE5M2.round(float64(x)))
		}
	case F8E8M0:
		for i, x := range src {
			dst[i] = roundE8M0(float64(x))
		}
	case Q8_0:
		encodeQ8(dst, src)
	default:
		if d.IsBlock() {
			return fmt.Errorf("tensor: %s is read and not written", d)
		}
		for i, x := range src {
			if err := putInteger(dst[i*d.Size():], float64(x), d); err != nil {
				return fmt.Errorf("tensor: element %d: %w", i, err)
			}
		}
	}
	return nil
}

// integerRange gives the inclusive lower and exclusive upper bound of an integer
// type; both are powers of two or 0, hence exact in float64.
func integerRange(d DType) (lo, hi float64) {
	bits := 8 * d.Size()
	switch d {
	case I64, I32, I16, I8:
		return -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	case Bool:
		return 0, 2
	default:
		return 0, math.Ldexp(1, bits)
	}
}

func putInteger(dst []byte, x float64, d DType) error {
	lo, hi := integerRange(d)
	if !(x >= lo && x < hi) || x != math.Trunc(x) {
		return fmt.Errorf("%v is not a value of %s", x, d)
	}
	var u uint64
	if x < 0 {
		u = uint64(int64(x))
	} else {
		u = uint64(x)
	}
	switch d.Size() {
	case 8:
		binary.LittleEndian.PutUint64(dst, u)
	case 4:
		binary.LittleEndian.PutUint32(dst, uint32(u))
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(u))
	default:
		dst[0] = byte(u)
	}
	return nil
}
