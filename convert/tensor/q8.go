package tensor

import (
	"encoding/binary"
	"math"
)

// The block of Q8_0: 32 elements of a row in 34 bytes, a binary16 scale d and 32
// int8 codes q, whose values are d·q. Source: block_q8_0 in ggml-common.h and
// quantize_row_q8_0_ref in ggml-quants.c of ggml (llama.cpp b4000 and later).
const (
	q8Elements = 32
	q8Bytes    = 2 + q8Elements
)

// decodeQ8 is exact in both types: a product of 11 and 8 bits of mantissa, whose
// exponent ends far from the limits of float32.
func decodeQ8[F float32 | float64](dst []F, src []byte) {
	for len(dst) >= q8Elements && len(src) >= q8Bytes {
		d := F(f16ToFloat32(binary.LittleEndian.Uint16(src)))
		for i, q := range src[2:q8Bytes] {
			dst[i] = d * F(int8(q))
		}
		dst, src = dst[q8Elements:], src[q8Bytes:]
	}
}

// encodeQ8 takes d = max |x| / 127 and q = x/d rounded to nearest, halves away
// from zero, in float32 as ggml does, and stores d rounded to binary16: an element
// is off by at most half of d and the scale's own rounding. The codes are those of
// the d that was not rounded, so a block whose d rounds to 0 keeps them, and is 0.
// One with an element that is not finite has the scale NaN, so that it is found
// and not made a number.
func encodeQ8[F float32 | float64](dst []byte, src []F) {
	for len(src) >= q8Elements && len(dst) >= q8Bytes {
		largest, finite := float32(0), true
		for _, x := range src[:q8Elements] {
			a := float32(math.Abs(float64(x)))
			finite = finite && a <= math.MaxFloat32 // NaN is not
			largest = max(largest, a)
		}
		d := largest / 127
		if !finite {
			d = float32(math.NaN())
		}
		binary.LittleEndian.PutUint16(dst, uint16(formatF16.round(float64(d))))
		inverse := 1 / d
		if !finite || inverse > math.MaxFloat32 { // d is 0, or nearly
			inverse = 0
		}
		for i, x := range src[:q8Elements] {
			dst[2+i] = 0
			if finite {
				dst[2+i] = byte(int8(math.Round(float64(float32(x) * inverse))))
			}
		}
		dst, src = dst[q8Bytes:], src[q8Elements:]
	}
}

func nonFiniteQ8(src []byte) (int64, bool) {
	for i := 0; i+q8Bytes <= len(src); i += q8Bytes {
		if binary.LittleEndian.Uint16(src[i:])&0x7c00 == 0x7c00 {
			return int64(i / q8Bytes * q8Elements), true
		}
	}
	return 0, false
}
