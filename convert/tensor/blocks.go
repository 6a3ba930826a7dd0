package tensor

import (
	"encoding/binary"
	"math"
)

// block describes how a format other than Q8_0 stores its units.
type block struct {
	// decode fills dst with the elements of whole units.
	decode func(dst []float32, src []byte)
	// scales are the offsets of the binary16 numbers of a unit, -1 for none.
	scales [2]int
}

// blocks are the formats of ggml that are read, with the arithmetic of its
// dequantize_row_*, in float32: products are rounded before they are added to.
// Sources: ggml-common.h, ggml-quants.c, and gguf-py/gguf/quants.py.
var blocks = map[DType]block{
	Q4_0:  {decodeQ40, [2]int{0, -1}},
	Q4_1:  {decodeQ41, [2]int{0, 2}},
	Q5_0:  {decodeQ50, [2]int{0, -1}},
	Q5_1:  {decodeQ51, [2]int{0, 2}},
	Q4_K:  {decodeQ4K, [2]int{0, 2}},
	Q5_K:  {decodeQ5K, [2]int{0, 2}},
	Q6_K:  {decodeQ6K, [2]int{208, -1}},
	MXFP4: {decodeMXFP4, [2]int{-1, -1}},
}

// decodeBlocks decodes to either type: the values are float32's.
func decodeBlocks[F float32 | float64](dst []F, src []byte, d DType) {
	elements, size := d.Unit()
	decode := blocks[d].decode
	if f, ok := any(dst).([]float32); ok {
		decode(f, src)
		return
	}
	var few [kElements]float32
	for len(dst) >= elements && len(src) >= size {
		decode(few[:elements], src[:size])
		for i, x := range few[:elements] {
			dst[i] = F(x)
		}
		dst, src = dst[elements:], src[size:]
	}
}

// nonFiniteBlocks finds the first block whose values are not all finite. A scale
// that is not makes NaN of the smallest code; with finite binary16 scales no value
// reaches the limits of float32, so that only MXFP4's exponents need a look.
func nonFiniteBlocks(src []byte, d DType) (int64, bool) {
	elements, size := d.Unit()
	var few [kElements]float32
	for i := 0; i+size <= len(src); i += size {
		b := src[i : i+size]
		suspect := d == MXFP4 && b[0] >= 253
		for _, at := range blocks[d].scales {
			suspect = suspect || at >= 0 && binary.LittleEndian.Uint16(b[at:])&0x7c00 == 0x7c00
		}
		if !suspect {
			continue
		}
		blocks[d].decode(few[:elements], b)
		for _, x := range few[:elements] {
			if a := math.Abs(float64(x)); !(a <= math.MaxFloat32) {
				return int64(i / size * elements), true
			}
		}
	}
	return 0, false
}

func half(src []byte) float32 { return f16ToFloat32(binary.LittleEndian.Uint16(src)) }
