package tensor

// The blocks of 256 elements, in runs with scales of their own.
//
// Q4_K and Q5_K: a scale d and a step of minima e in binary16; for each of 8 runs of
// 32 elements a scale s and a minimum m of 6 bits, packed in 12 bytes; the codes.
// Values are (d·s)·q − e·m. Two runs share 32 bytes of codes, the first in the low
// nibbles. Q5_K has the fifth bits before them: bit r of byte i is that of element i
// of run r.
//
// Q6_K: 128 bytes of low nibbles, 64 bytes of two high bits, 16 int8 scales s of 16
// elements each, and d. Values are (d·s)·(q − 32).
const (
	kElements = 256
	q4kBytes  = 4 + 12 + 128
	q5kBytes  = 4 + 12 + 32 + 128
	q6kBytes  = 128 + 64 + 16 + 2
)

// kScales unpacks the scale and the minimum of run j: those of the first four runs
// are the low 6 bits of their bytes, whose upper two bits belong to the last four.
func kScales(packed []byte, j int) (s, m float32) {
	p := packed[:12]
	if j < 4 {
		return float32(p[j] & 63), float32(p[j+4] & 63)
	}
	return float32(p[j+4]&15 | p[j-4]>>6<<4), float32(p[j+4]>>4 | p[j]>>6<<4)
}

func decodeQ4K(dst []float32, src []byte) {
	for len(dst) >= kElements && len(src) >= q4kBytes {
		d, e := half(src), half(src[2:])
		codes, out := src[16:q4kBytes], dst[:kElements]
		for j := 0; j < 8; j += 2 {
			s0, m0 := kScales(src[4:16], j)
			s1, m1 := kScales(src[4:16], j+1)
			s0, m0, s1, m1 = d*s0, e*m0, d*s1, e*m1
			// Tables of all that a code can be, and arrays, whose bounds are known: half
			// the time.
			var first, second [16]float32
			for q := range first {
				first[q], second[q] = float32(s0*float32(q))-m0, float32(s1*float32(q))-m1
			}
			lo, hi := (*[32]float32)(out[32*j:]), (*[32]float32)(out[32*j+32:])
			for i, q := range (*[32]byte)(codes[16*j:]) {
				lo[i], hi[i] = first[q&15], second[q>>4]
			}
		}
		dst, src = dst[kElements:], src[q4kBytes:]
	}
}

func decodeQ5K(dst []float32, src []byte) {
	for len(dst) >= kElements && len(src) >= q5kBytes {
		d, e := half(src), half(src[2:])
		high, codes, out := (*[32]byte)(src[16:]), src[48:q5kBytes], dst[:kElements]
		for j := 0; j < 8; j += 2 {
			s0, m0 := kScales(src[4:16], j)
			s1, m1 := kScales(src[4:16], j+1)
			s0, m0, s1, m1 = d*s0, e*m0, d*s1, e*m1
			lo, hi := (*[32]float32)(out[32*j:]), (*[32]float32)(out[32*j+32:])
			for i, q := range (*[32]byte)(codes[16*j:]) {
				h := high[i] >> j
				lo[i] = float32(s0*float32(q&15|h&1<<4)) - m0
				hi[i] = float32(s1*float32(q>>4|h>>1&1<<4)) - m1
			}
		}
		dst, src = dst[kElements:], src[q5kBytes:]
	}
}

func decodeQ6K(dst []float32, src []byte) {
	for len(dst) >= kElements && len(src) >= q6kBytes {
		d := half(src[208:])
		for n := range 2 {
			low, high, scales, out := src[64*n:64*n+64], src[128+32*n:160+32*n], src[192+8*n:200+8*n], dst[128*n:128*n+128]
			for half := range 2 { // 16 elements of each of four runs
				var s [4]float32
				for r := range s {
					s[r] = d * float32(int8(scales[2*r+half]))
				}
				for i := 16 * half; i < 16*half+16; i++ {
					a, b, h := low[i], low[i+32], high[i]
					out[i] = s[0] * float32(int8(a&15|h&3<<4)-32)
					out[i+32] = s[1] * float32(int8(b&15|h>>2&3<<4)-32)
					out[i+64] = s[2] * float32(int8(a>>4|h>>4&3<<4)-32)
					out[i+96] = s[3] * float32(int8(b>>4|h>>6<<4)-32)
				}
			}
		}
		dst, src = dst[kElements:], src[q6kBytes:]
	}
}
