package tensor

import "math"

// The block of MXFP4: an exponent e for 32 elements and their codes, 4-bit floats
// of 1 sign, 2 exponent and 1 mantissa bits, packed as Q4_0's are. Values are
// 2^(e − 127) times the code's. Sources: OCP Microscaling Formats 1.0; ggml, which
// halves the power and doubles the codes, and reads the exponent 255, NaN there, as
// the next power.
const mxfp4Bytes = 1 + 16

// E2M1 are twice the values of the codes of a float of 1 sign, 2 exponent and 1 mantissa
// bits (OCP Microscaling Formats 1.0), so that they are whole numbers. Both codes of zero
// are 0, as in ggml: the sign of a zero weight changes no logit.
var E2M1 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

func decodeMXFP4(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= mxfp4Bytes {
		bits := uint32(0x00200000) << (src[0] & 1) // 2^-128 and 2^-127 are subnormal
		if src[0] > 1 {
			bits = uint32(src[0]-1) << 23
		}
		d := math.Float32frombits(bits)
		lo, hi := dst[:16], dst[16:32]
		for i, q := range src[1:mxfp4Bytes] {
			lo[i] = d * E2M1[q&15]
			hi[i] = d * E2M1[q>>4]
		}
		dst, src = dst[32:], src[mxfp4Bytes:]
	}
}
