package tensor

import "encoding/binary"

// The blocks of 32 elements: 16 bytes of codes, whose low nibbles are the first
// half of the elements and whose high nibbles are the second, behind a scale d and,
// in the forms that end in 1, a minimum m. Q5 has a fifth bit of each code in a
// little-endian word of 32 bits.
//
//	Q4_0: d·(q − 8)    Q4_1: d·q + m    Q5_0: d·(q − 16)    Q5_1: d·q + m
const (
	q40Bytes = 2 + 16
	q41Bytes = 4 + 16
	q50Bytes = 2 + 4 + 16
	q51Bytes = 4 + 4 + 16
)

func decodeQ40(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= q40Bytes {
		d := half(src)
		lo, hi := dst[:16], dst[16:32]
		for i, q := range src[2:q40Bytes] {
			lo[i] = d * float32(int8(q&15)-8)
			hi[i] = d * float32(int8(q>>4)-8)
		}
		dst, src = dst[32:], src[q40Bytes:]
	}
}

func decodeQ41(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= q41Bytes {
		d, m := half(src), half(src[2:])
		lo, hi := dst[:16], dst[16:32]
		for i, q := range src[4:q41Bytes] {
			lo[i] = float32(d*float32(q&15)) + m
			hi[i] = float32(d*float32(q>>4)) + m
		}
		dst, src = dst[32:], src[q41Bytes:]
	}
}

func decodeQ50(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= q50Bytes {
		d, high := half(src), binary.LittleEndian.Uint32(src[2:])
		lo, hi := dst[:16], dst[16:32]
		for i, q := range src[6:q50Bytes] {
			lo[i] = d * float32(int8(uint32(q&15)|high>>i&1<<4)-16)
			hi[i] = d * float32(int8(uint32(q>>4)|high>>(i+16)&1<<4)-16)
		}
		dst, src = dst[32:], src[q50Bytes:]
	}
}

func decodeQ51(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= q51Bytes {
		d, m, high := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
		lo, hi := dst[:16], dst[16:32]
		for i, q := range src[8:q51Bytes] {
			lo[i] = float32(d*float32(uint32(q&15)|high>>i&1<<4)) + m
			hi[i] = float32(d*float32(uint32(q>>4)|high>>(i+16)&1<<4)) + m
		}
		dst, src = dst[32:], src[q51Bytes:]
	}
}
