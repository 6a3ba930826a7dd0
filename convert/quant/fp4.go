package quant

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Floats of 4 bits: 1 sign, 2 exponent and 1 mantissa bits (E2M1 of OCP Microscaling
// Formats 1.0). A byte holds two neighbours of a row, the first in its low bits.
var (
	// mxfp4Stacked: gpt-oss (arXiv 2508.10925). NAME_blocks is (experts, out, groups,
	// 16) and NAME_scales (experts, out, groups), of exponents: a scale is
	// 2^(e − 127). A plain checkpoint has NAME as (experts, in, out).
	mxfp4Stacked = Format{
		Name:    "MXFP4",
		About:   "a 4-bit float (E2M1) times the power of two of its 32 columns; experts in one tensor",
		Methods: []string{"mxfp4"},
		Key:     "_blocks", Beside: []string{"_scales"},
		Open: openMXFP4,
	}
	// fp4Packed: compressed-tensors' nvfp4-pack-quantized, whose scales are float8
	// over a common divisor, and mxfp4-pack-quantized, whose scales are exponents.
	fp4Packed = Format{
		Name:    "compressed-tensors, packed floats",
		About:   "a 4-bit float (E2M1) times the scale of its 16 columns over that of its tensor (NVFP4), or the power of two of its 32 columns (MXFP4)",
		Methods: []string{"compressed-tensors"},
		Key:     "_packed", Beside: []string{"_scale", "_global_scale"},
		Open: openFP4Packed,
	}
	// nvfp4: modelopt's, whose scales are float8 times a common factor.
	nvfp4 = Format{
		Name:    "NVFP4",
		About:   "a 4-bit float (E2M1) times the scale of its 16 columns times that of its tensor",
		Methods: []string{"modelopt"},
		Key:     "_scale_2", Beside: []string{"", "_scale"},
		Open: openNVFP4,
	}
)

// fp4 are codes with scales in rows of theirs.
type fp4 struct {
	codes, scales, common string
	columns, groups       int64
	divides               bool
}

// grid is a stack of matrices (rows, columns) of these codes.
func (f *fp4) grid(src Source, stack, rows, group int64) (*Grid, error) {
	f.groups = f.columns / group
	g := &Grid{Codes: f.codes, Scales: f.scales, Stack: stack, Rows: rows, Columns: f.columns, BlockRows: 1, BlockColumns: group, Low: -12, High: 12, Read: f.read, ReadScales: f.scale}
	if f.common == "" {
		return g, nil
	}
	info, err := part(src, f.common, "scale of all", []tensor.DType{tensor.F32})
	if err != nil {
		return nil, err
	}
	if n, err := tensor.Elements(info.Shape); err != nil || n != 1 {
		return nil, fmt.Errorf("tensor %q, the scale of all, has shape %v: expected one number", info.Name, info.Shape)
	}
	list, err := numbers(src, f.common, 0, 1)
	if err != nil {
		return nil, err
	}
	if f.divides && list[0] == 0 {
		return nil, fmt.Errorf("tensor %q is 0, and scales are divided by it: the file is damaged", f.common)
	}
	return g, nil
}

func (f *fp4) read(src Source, dst []float32, begin, end int64) error {
	raw, err := src.Read(f.codes, begin*f.columns/2, end*f.columns/2)
	if err != nil {
		return err
	}
	for i, b := range raw {
		dst[2*i], dst[2*i+1] = tensor.E2M1[b&15], tensor.E2M1[b>>4] // twice the values: the scales are halved
	}
	return nil
}

// scale gives half the scales of a row.
func (f *fp4) scale(src Source, row int64) ([]float64, error) {
	info, _ := src.Lookup(f.scales)
	if info.DType == tensor.U8 {
		list, err := powers(src, f.scales, row*f.groups, f.groups)
		for k := range list {
			list[k] /= 2
		}
		return list, err
	}
	list, err := numbers(src, f.scales, row*f.groups, f.groups)
	if err != nil {
		return nil, err
	}
	common, err := numbers(src, f.common, 0, 1)
	if err != nil {
		return nil, err
	}
	for k := range list {
		if f.divides {
			list[k] /= 2 * common[0]
		} else {
			list[k] *= common[0] / 2
		}
	}
	return list, nil
}

func openMXFP4(_ *Declaration, src Source, base string) (*Tensor, error) {
	codes, err := part(src, base+"_blocks", "codes", []tensor.DType{tensor.U8})
	if err != nil {
		return nil, err
	}
	if len(codes.Shape) != 4 || codes.Shape[3] != 16 || codes.Bytes() == 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v: expected (experts, out, groups, 16)", codes.Name, codes.Shape)
	}
	stack, out, groups := codes.Shape[0], codes.Shape[1], codes.Shape[2]
	if _, err := part(src, base+"_scales", "exponents", []tensor.DType{tensor.U8}, stack, out, groups); err != nil {
		return nil, err
	}
	f := &fp4{codes: base + "_blocks", scales: base + "_scales", columns: 32 * groups}
	g, err := f.grid(src, stack, out, 32)
	if err != nil {
		return nil, err
	}
	t := tensorOf(src, g, base, "MXFP4")
	t.Info.Shape, t.Unit, t.Across = []int64{stack, f.columns, out}, f.columns, true
	t.Decode = func(src Source, dst []float32, begin, end int64) error {
		for at := begin; at < end; at += f.columns {
			if err := turned(src, g, dst[(at-begin)*out:][:f.columns*out], at/f.columns); err != nil {
				return err
			}
		}
		return nil
	}
	return t, nil
}

// turned decodes one matrix of a grid the other way round, a few rows at a time.
func turned(src Source, g *Grid, dst []float32, at int64) error {
	const tile = 16
	lines := make([]float32, tile*g.Columns)
	for row := int64(0); row < g.Rows; row += tile {
		n := min(tile, g.Rows-row)
		if err := g.Decode(src, lines[:n*g.Columns], at*g.Rows+row, at*g.Rows+row+n); err != nil {
			return err
		}
		for j := range g.Columns {
			to := dst[j*g.Rows+row:][:n]
			for i := range to {
				to[i] = lines[int64(i)*g.Columns+j]
			}
		}
	}
	return nil
}

func openFP4Packed(_ *Declaration, src Source, base string) (*Tensor, error) {
	codes, err := part(src, base+"_packed", "codes", append([]tensor.DType{tensor.U8}, words32...))
	if err != nil || codes.DType != tensor.U8 {
		return nil, err // words are of another format
	}
	scales, ok := src.Lookup(base + "_scale")
	f := &fp4{codes: codes.Name, scales: base + "_scale", divides: true}
	if ok && scales.DType != tensor.U8 {
		f.common = base + "_global_scale"
	}
	return f.open(src, base, codes, "compressed-tensors, packed floats")
}

func openNVFP4(_ *Declaration, src Source, base string) (*Tensor, error) {
	codes, ok := src.Lookup(base)
	if !ok || codes.DType != tensor.U8 {
		return nil, nil
	}
	return (&fp4{codes: base, scales: base + "_scale", common: base + "_scale_2"}).open(src, base, codes, "NVFP4")
}

// open is a matrix (out, in/2) of bytes, with scales (out, groups) beside it.
func (f *fp4) open(src Source, base string, codes tensor.Info, format string) (*Tensor, error) {
	if len(codes.Shape) != 2 || codes.Bytes() == 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v: %w; matrices (out, in/2) are read", codes.Name, codes.Shape, posenc.ErrUnsupported)
	}
	f.columns = 2 * codes.Shape[1]
	group, types := int64(16), []tensor.DType{tensor.F8E4M3}
	if f.common == "" {
		group, types = 32, []tensor.DType{tensor.U8}
	}
	if f.columns%group != 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v: its %d columns are no whole groups of %d", codes.Name, codes.Shape, f.columns, group)
	}
	if _, err := part(src, f.scales, "scales", types, codes.Shape[0], f.columns/group); err != nil {
		return nil, err
	}
	g, err := f.grid(src, 1, codes.Shape[0], group)
	if err != nil {
		return nil, err
	}
	t := tensorOf(src, g, base, format)
	t.Info.Shape = []int64{g.Rows, g.Columns}
	if f.common != "" {
		t.Parts = append(t.Parts, f.common)
	}
	return t, nil
}
