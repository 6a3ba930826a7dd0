package tensor

import (
	"encoding/binary"
	"fmt"
)

// NonFinite looks for the first NaN or infinity among the little-endian elements
// of src and gives its index: the first of its block where a block's scale is not
// finite. Integer types hold none. Bytes after the last whole element are ignored.
func NonFinite(src []byte, d DType) (index int64, found bool) {
	switch d {
	case BF16:
		return nonFinite16(src, 0x7f80)
	case F16:
		return nonFinite16(src, 0x7c00)
	case F32:
		const mask = 0x7f800000
		at := finiteBytes(src, mask<<32|mask, 1<<55|1<<23, 1<<63|1<<31)
		for i := at; i+4 <= len(src); i += 4 {
			if binary.LittleEndian.Uint32(src[i:])&mask == mask {
				return int64(i / 4), true
			}
		}
	case F64:
		const mask = 0x7ff << 52
		for i := 0; i+8 <= len(src); i += 8 {
			if binary.LittleEndian.Uint64(src[i:])&mask == mask {
				return int64(i / 8), true
			}
		}
	case F8E4M3:
		for i, b := range src {
			if b&0x7f == 0x7f {
				return int64(i), true
			}
		}
	case F8E8M0:
		for i, b := range src {
			if b == nanE8M0 {
				return int64(i), true
			}
		}
	case Q8_0:
		return nonFiniteQ8(src)
	case F8E5M2:
		for i, b := range src {
			if b&0x7c == 0x7c {
				return int64(i), true
			}
		}
	default:
		if d.IsBlock() {
			return nonFiniteBlocks(src, d)
		}
	}
	return 0, false
}

// nonFinite16 is it for elements of two bytes, whose exponent is mask.
func nonFinite16(src []byte, mask uint16) (int64, bool) {
	const lanes = 0x0001000100010001
	for i := finiteBytes(src, uint64(mask)*lanes, uint64(mask&-mask)*lanes, 0x8000*lanes); i+2 <= len(src); i += 2 {
		if binary.LittleEndian.Uint16(src[i:])&mask == mask {
			return int64(i / 2), true
		}
	}
	return 0, false
}

// finiteBytes counts bytes at the beginning of src that hold finite elements alone, by
// 32 at once: adding the lowest exponent bit carries into the sign's place exactly
// where the exponent is all ones. Each of the three has a bit pattern for every element.
func finiteBytes(src []byte, exponents, lowest, signs uint64) int {
	rest := src
	for len(rest) >= 32 {
		a := binary.LittleEndian.Uint64(rest)&exponents + lowest
		b := binary.LittleEndian.Uint64(rest[8:])&exponents + lowest
		c := binary.LittleEndian.Uint64(rest[16:])&exponents + lowest
		d := binary.LittleEndian.Uint64(rest[24:])&exponents + lowest
		if (a|b|c|d)&signs != 0 {
			break
		}
		rest = rest[32:]
	}
	return len(src) - len(rest)
}

// At decodes the element with the given index among the little-endian elements of
// src.
func At(src []byte, d DType, index int64) (float64, error) {
	elements, bytes := d.Unit()
	unit, in := index/int64(elements), index%int64(elements)
	values := make([]float64, elements)
	if index < 0 || (unit+1)*int64(bytes) > int64(len(src)) {
		return 0, fmt.Errorf("tensor: element %d of %s in %d bytes", index, d, len(src))
	}
	err := Decode64(values, src[unit*int64(bytes):(unit+1)*int64(bytes)], d)
	return values[in], err
}
