package quant

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// GGUFMethod is the quant_method of a folder into which pecvt took the blocks of a
// GGUF file over as they are.
const GGUFMethod = "gguf"

// ggufFormats are the block formats of GGUF files, a row each: a matrix (…, out, in) is
// bytes (…, out, blocks · bytes of one), in the order of rows of a plain checkpoint. The
// blocks are described in package tensor.
func ggufFormats() []Format {
	about := map[tensor.DType]string{
		tensor.Q8_0: "an 8-bit integer times the scale of its 32 columns",
		tensor.Q4_0: "an integer of 4 bits less 8, times the scale of its 32 columns",
		tensor.Q4_1: "an integer of 4 bits times the scale of its 32 columns, and their minimum",
		tensor.Q5_0: "an integer of 5 bits less 16, times the scale of its 32 columns",
		tensor.Q5_1: "an integer of 5 bits times the scale of its 32 columns, and their minimum",
		tensor.Q4_K: "an integer of 4 bits times the scale of its 32 columns less their minimum, both 6 bits times those of 256",
		tensor.Q5_K: "an integer of 5 bits times the scale of its 32 columns less their minimum, both 6 bits times those of 256",
		tensor.Q6_K: "an integer of 6 bits less 32, times the scale of its 16 columns, 8 bits times that of 256",
	}
	about[tensor.MXFP4] = "a 4-bit float (E2M1) times the power of two of its 32 columns"
	var list []Format
	for _, d := range tensor.BlockFormats() {
		list = append(list, Format{
			Name: "GGUF " + d.String(), About: about[d], Methods: []string{GGUFMethod}, Key: GGUFKey(d),
			Open: func(_ *Declaration, src Source, base string) (*Tensor, error) { return openGGUF(src, base, d) },
		})
	}
	return list
}

// GGUFKey ends the name of a tensor that holds blocks of a format.
func GGUFKey(d tensor.DType) string { return "_" + strings.ToLower(d.String()) }

func openGGUF(src Source, base string, d tensor.DType) (*Tensor, error) {
	name := base + GGUFKey(d)
	info, err := part(src, name, "blocks of "+d.String(), []tensor.DType{tensor.U8})
	if err != nil {
		return nil, err
	}
	elements, bytes := d.Unit()
	last := len(info.Shape) - 1
	if last < 1 || info.Shape[last]%int64(bytes) != 0 || info.Shape[last] == 0 {
		return nil, fmt.Errorf("tensor %q, blocks of %s, has shape %v: expected (out, blocks · %d): %w", name, d, info.Shape, bytes, posenc.ErrUnsupported)
	}
	b := blocks{name: name, of: d, columns: info.Shape[last] / int64(bytes) * int64(elements), row: info.Shape[last]}
	shape := append([]int64{}, info.Shape...)
	shape[last] = b.columns
	t := &Tensor{Info: tensor.Info{Name: base, DType: tensor.F32, Shape: shape}, Format: "GGUF " + d.String(), Parts: []string{name}, Decode: b.decode}
	if form, ok := affine[d]; ok {
		b.affine = form
		m := tensor.Matrix(shape)
		t.Grid = &Grid{Codes: name, Scales: name, Stack: 1, Rows: m[0], Columns: b.columns, BlockRows: 1, BlockColumns: int64(elements), Low: form.low, High: form.high, Read: b.codes, ReadScales: b.scales}
		if form.offset {
			t.Grid.ReadOffsets = b.offsets
		}
		t.Decode = t.Grid.Decode
	}
	return t, nil
}

// blocks are the rows of one tensor.
type blocks struct {
	name         string
	of           tensor.DType
	columns, row int64 // elements and bytes of a row
	affine       affineBlock
}

// affineBlock is a block of 32 codes that are numbers by a scale, and an offset where
// there is one: code · scale + offset.
type affineBlock struct {
	low, high float64
	offset    bool // a second float16 behind the scale
	exponent  bool // the scale is the byte e, for 2^(e − 128)
	codes     func(dst []float32, block []byte)
}

var affine = map[tensor.DType]affineBlock{
	tensor.Q8_0: {low: -128, high: 127, codes: func(dst []float32, block []byte) {
		for i, q := range block[2:] {
			dst[i] = float32(int8(q))
		}
	}},
	tensor.Q4_0: {low: -8, high: 7, codes: halves(2, -8)},
	tensor.Q4_1: {low: 0, high: 15, offset: true, codes: halves(4, 0)},
	tensor.MXFP4: {low: -12, high: 12, exponent: true, codes: func(dst []float32, block []byte) {
		for i, q := range block[1:] {
			dst[i], dst[i+16] = tensor.E2M1[q&15], tensor.E2M1[q>>4]
		}
	}},
}

// halves are codes of 4 bits from a byte on: the low ones are the first 16 columns, the
// high ones the others.
func halves(from int, add float32) func([]float32, []byte) {
	return func(dst []float32, block []byte) {
		for i, q := range block[from:] {
			dst[i], dst[i+16] = float32(q&15)+add, float32(q>>4)+add
		}
	}
}

func (b blocks) read(src Source, begin, end int64) ([]byte, error) {
	return src.Read(b.name, begin*b.row, end*b.row)
}

// decode makes numbers of blocks that are no grid.
func (b blocks) decode(src Source, dst []float32, begin, end int64) error {
	raw, err := b.read(src, begin, end)
	if err != nil {
		return err
	}
	return tensor.Decode32(dst, raw, b.of)
}

func (b blocks) codes(src Source, dst []float32, begin, end int64) error {
	raw, err := b.read(src, begin, end)
	if err != nil {
		return err
	}
	elements, size := b.of.Unit()
	for ; len(raw) >= size && len(dst) >= elements; raw, dst = raw[size:], dst[elements:] {
		b.affine.codes(dst[:elements], raw[:size])
	}
	return nil
}

func (b blocks) scales(src Source, row int64) ([]float64, error)  { return b.heads(src, row, 0) }
func (b blocks) offsets(src Source, row int64) ([]float64, error) { return b.heads(src, row, 2) }

// heads reads the numbers that lie some bytes into the blocks of a row.
func (b blocks) heads(src Source, row, at int64) ([]float64, error) {
	raw, err := b.read(src, row, row+1)
	if err != nil {
		return nil, err
	}
	_, size := b.of.Unit()
	list := make([]float64, len(raw)/size)
	for k := range list {
		head := raw[int64(k*size)+at:]
		if b.affine.exponent {
			list[k] = math.Ldexp(1, int(head[0])-128)
			continue
		}
		if err := tensor.Decode64(list[k:k+1], head[:2], tensor.F16); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", b.name, err)
		}
	}
	return list, finite(b.name, list, row*int64(len(list)), 1)
}
