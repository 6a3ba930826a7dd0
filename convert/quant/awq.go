package quant

import (
	"encoding/binary"
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// awqPacked: what AutoAWQ writes as version gemm (arXiv 2306.00978), for a matrix
// (out, in) of codes of 4 bits in groups of columns: qweight (in, out/8), qzeros
// (groups, out/8) and scales (groups, out). A word holds eight rows, in the order
// 0, 2, 4, 6, 1, 3, 5, 7 from its lowest bits on.
var awqPacked = Format{
	Name:    "AWQ",
	About:   "an integer of 4 bits less the zero point of its group of columns, times its scale",
	Methods: []string{"awq", autoRound},
	Key:     ".qweight", Beside: []string{".qzeros", ".scales"},
	Open: openAWQ,
}

// awqShift is where the code of a row lies in its word, by its number among the eight.
var awqShift = [8]uint{0, 16, 4, 20, 8, 24, 12, 28}

type awq struct {
	base        string
	out, groups int64
}

func openAWQ(d *Declaration, src Source, base string) (*Tensor, error) {
	packing, err := d.packing()
	if err != nil || packing != packedOthers && packing != packedAWQ {
		return nil, err
	}
	if d, err = d.layer(base); err != nil {
		return nil, err
	}
	if version := d.lower("version", "format"); version != "" && version != "gemm" {
		return nil, fmt.Errorf("%s: version is %q: %w; the packing of gemm is read", d.Where, version, posenc.ErrUnsupported)
	}
	if backend := d.lower("backend"); backend == "llm-awq" {
		return nil, fmt.Errorf("%s: backend is %q: %w; the packing of AutoAWQ's gemm is read", d.Where, backend, posenc.ErrUnsupported)
	}
	if bits, ok := d.number("bits", "w_bit"); ok && bits != 4 {
		return nil, fmt.Errorf("%s: codes of %d bits: %w; 4 are read", d.Where, bits, posenc.ErrUnsupported)
	}
	if zero, ok := d.flag("zero_point"); ok && !zero {
		return nil, fmt.Errorf("%s: zero_point is false: %w; codes with zero points are read", d.Where, posenc.ErrUnsupported)
	}
	codes, err := part(src, base+".qweight", "codes", words32)
	if err != nil {
		return nil, err
	}
	if len(codes.Shape) != 2 || codes.Shape[0] == 0 || codes.Shape[1] == 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v: expected (in, out/8)", codes.Name, codes.Shape)
	}
	a := awq{base: base, out: 8 * codes.Shape[1]}
	scales, err := part(src, base+".scales", "scales", plainFloats)
	if err != nil {
		return nil, err
	}
	if len(scales.Shape) != 2 || scales.Shape[1] != a.out || scales.Shape[0] == 0 {
		return nil, fmt.Errorf("tensor %q, the scales, has shape %v: expected (groups, %d)", scales.Name, scales.Shape, a.out)
	}
	a.groups = scales.Shape[0]
	zeros, err := part(src, base+".qzeros", "zero points", words32, a.groups, codes.Shape[1])
	if err != nil {
		return nil, err
	}
	g := &Grid{Codes: codes.Name, Scales: scales.Name, Zeros: zeros.Name, Stack: 1, Rows: a.out, Columns: codes.Shape[0], BlockRows: 1,
		High: 15, Read: a.codes, ReadScales: a.scales, ReadZeros: a.zeros}
	if g.BlockColumns, err = groupSize(d, g.Columns, a.groups, false); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", scales.Name, err)
	}
	t := tensorOf(src, g, base+".weight", "AWQ")
	t.Info.Shape = []int64{g.Rows, g.Columns}
	return t, nil
}

// nibbles takes the codes of one row, step words apart from its first one on.
func nibbles[T float32 | float64](dst []T, raw []byte, row, step int64) {
	raw, shift := raw[row/8*4:], awqShift[row%8]
	for k := range dst {
		dst[k] = T(binary.LittleEndian.Uint32(raw[int64(k)*step*4:]) >> shift & 15)
	}
}

func (a awq) codes(src Source, dst []float32, begin, end int64) error {
	raw, err := whole(src, a.base+".qweight")
	if err != nil {
		return err
	}
	columns := int64(len(dst)) / (end - begin)
	for row := begin; row < end; row++ {
		nibbles(dst[(row-begin)*columns:][:columns], raw, row, a.out/8)
	}
	return nil
}

func (a awq) scales(src Source, row int64) ([]float64, error) {
	list := make([]float64, a.groups)
	return list, column(src, a.base+".scales", list, row, a.out)
}

func (a awq) zeros(src Source, row int64) ([]float64, error) {
	raw, err := whole(src, a.base+".qzeros")
	if err != nil {
		return nil, err
	}
	list := make([]float64, a.groups)
	nibbles(list, raw, row, a.out/8)
	return list, nil
}
