package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Grid is a matrix, or Stack of them below each other, of codes that share scales
// in blocks. Element (i, j) of one is
//
//	(code(i, j) − zero(i / BlockRows, j / BlockColumns)) · scale(the same) + offset(the same)
//
// The scales are of shape (⌈Rows/BlockRows⌉, ⌈Columns/BlockColumns⌉) for each matrix,
// and so are the zeros and the offsets; no format has both of these. Numbers are made in
// float64 and rounded once to float32.
type Grid struct {
	// Codes, Scales and Zeros name the tensors; Zeros is "" for none.
	Codes, Scales, Zeros string
	// Exponents: a scale is stored as a byte e for 2^(e − 127).
	Exponents bool
	// Index, where not "", names a tensor that has for each column its block among
	// those of its row, in place of j / BlockColumns.
	Index                   string
	Stack, Rows, Columns    int64
	BlockRows, BlockColumns int64
	// Read gives codes of rows [begin, end) of the whole stack as numbers; nil where
	// Codes holds one in each element, in that order.
	Read func(src Source, dst []float32, begin, end int64) error
	// ReadScales and ReadZeros, where not nil, give the scales and the zeros of the
	// blocks of one row of the stack; nil where the tensors hold them as above.
	ReadScales, ReadZeros func(src Source, row int64) ([]float64, error)
	// ReadOffsets gives the offsets likewise, nil for none.
	ReadOffsets func(src Source, row int64) ([]float64, error)
	// Low and High bound codes that are whole numbers; both are 0 where they are floats.
	Low, High float64
}

// across is how many blocks a row has, down how many rows of blocks a matrix.
func (g *Grid) across() int64 { return (g.Columns + g.BlockColumns - 1) / g.BlockColumns }
func (g *Grid) down() int64   { return (g.Rows + g.BlockRows - 1) / g.BlockRows }

// Decode decodes rows of the stack; see [Tensor.Decode].
func (g *Grid) Decode(src Source, dst []float32, begin, end int64) error {
	if err := g.Numbers(src, dst, begin, end); err != nil {
		return err
	}
	of, err := g.blocks(src)
	if err != nil {
		return err
	}
	var scales, zeros, offsets []float64
	last := int64(-1)
	for row := begin; row < end; row++ {
		if at := row/g.Rows*g.down() + row%g.Rows/g.BlockRows; at != last {
			if scales, zeros, err = g.Line(src, row); err != nil {
				return err
			}
			if offsets, err = g.Offsets(src, row); err != nil {
				return err
			}
			last = at
		}
		line := dst[(row-begin)*g.Columns:][:g.Columns]
		if offsets != nil {
			for j, code := range line {
				k := int64(j) / g.BlockColumns
				line[j] = float32(float64(code)*scales[k] + offsets[k])
			}
			continue
		}
		if of != nil {
			for j, code := range line {
				line[j] = scaled(code, scales, zeros, of[j])
			}
			continue
		}
		for k := range scales {
			from := int64(k) * g.BlockColumns
			block := line[from:min(from+g.BlockColumns, g.Columns)]
			if scale := float32(scales[k]); zeros == nil && float64(scale) == scales[k] {
				for j := range block { // one rounding, as below
					block[j] *= scale
				}
				continue
			}
			for j, code := range block {
				block[j] = scaled(code, scales, zeros, k)
			}
		}
	}
	return nil
}

// Line gives the scales of the blocks of a row of the stack, and the zeros, nil for
// none.
func (g *Grid) Line(src Source, row int64) (scales, zeros []float64, err error) {
	across := g.across()
	at := (row/g.Rows*g.down() + row%g.Rows/g.BlockRows) * across
	read := func(with func(Source, int64) ([]float64, error), name string) (list []float64) {
		switch {
		case err != nil:
		case with != nil:
			list, err = with(src, row)
		case name != "":
			list, err = numbers(src, name, at, across)
		}
		return list
	}
	if g.Exponents {
		scales, err = powers(src, g.Scales, at, across)
	} else {
		scales = read(g.ReadScales, g.Scales)
	}
	zeros = read(g.ReadZeros, g.Zeros)
	return scales, zeros, err
}

// Offsets gives the offsets of the blocks of a row of the stack, nil for none.
func (g *Grid) Offsets(src Source, row int64) ([]float64, error) {
	if g.ReadOffsets == nil {
		return nil, nil
	}
	return g.ReadOffsets(src, row)
}

// Numbers gives the codes of rows [begin, end) of the stack as numbers.
func (g *Grid) Numbers(src Source, dst []float32, begin, end int64) error {
	if g.Read != nil {
		return g.Read(src, dst, begin, end)
	}
	return g.plain(src, dst, begin, end)
}

func scaled(code float32, scales, zeros []float64, k int) float32 {
	if zeros != nil {
		return float32((float64(code) - zeros[k]) * scales[k])
	}
	return float32(float64(code) * scales[k])
}

// blocks gives the block of each column, nil where they follow each other.
func (g *Grid) blocks(src Source) ([]int, error) {
	if g.Index == "" {
		return nil, nil
	}
	list, err := numbers(src, g.Index, 0, g.Columns)
	if err != nil {
		return nil, err
	}
	of := make([]int, len(list))
	for j, x := range list {
		if of[j] = int(x); x < 0 || of[j] >= int(g.across()) {
			return nil, fmt.Errorf("tensor %q: element %d is %v: expected one of %d blocks", g.Index, j, x, g.across())
		}
	}
	return of, nil
}

// plain reads codes that lie one in each element.
func (g *Grid) plain(src Source, dst []float32, begin, end int64) error {
	info, _ := src.Lookup(g.Codes)
	size := int64(info.DType.Size())
	raw, err := src.Read(g.Codes, begin*g.Columns*size, end*g.Columns*size)
	if err != nil {
		return err
	}
	return tensor.Decode32(dst, raw, info.DType)
}

// numbers reads n elements of a tensor, which must be finite.
func numbers(src Source, name string, from, n int64) ([]float64, error) {
	info, ok := src.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing", name)
	}
	size := int64(info.DType.Size())
	raw, err := src.Read(name, from*size, (from+n)*size)
	if err != nil {
		return nil, err
	}
	out := make([]float64, n)
	if err := tensor.Decode64(out, raw, info.DType); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return out, finite(name, out, from, 1)
}

// powers reads n exponents of a byte each, e for 2^(e − 127); 255 is no number (E8M0 of
// OCP Microscaling Formats 1.0).
func powers(src Source, name string, from, n int64) ([]float64, error) {
	list, err := numbers(src, name, from, n)
	for k, e := range list {
		if e == 255 {
			return nil, fmt.Errorf("tensor %q: element %d is the exponent 255, which is no number: the file is damaged", name, from+int64(k))
		}
		list[k] = math.Ldexp(1, int(e)-127)
	}
	return list, err
}

// finite refuses scales that are not; from and step say where they lie.
func finite(name string, list []float64, from, step int64) error {
	for i, x := range list {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("tensor %q: element %d is %v: a scale must be finite; the file is damaged", name, from+int64(i)*step, x)
		}
	}
	return nil
}

// gridOf lays scales over codes that lie one in each element, by the shapes of both
// and the blocks that are declared, 0 for none. A scale for all, for each matrix of
// a stack, for each row, column or run of a row are told by the shape alone.
func gridOf(src Source, codes, scales string, blockRows, blockColumns int64) (*Grid, error) {
	c, _ := src.Lookup(codes)
	s, ok := src.Lookup(scales)
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing: it holds the scales of %q", scales, codes)
	}
	exponents := s.DType == tensor.U8
	if !exponents && (!s.DType.IsFloat() || s.DType.IsBlock()) {
		return nil, fmt.Errorf("scales %q are of type %s: expected floating-point numbers", scales, s.DType)
	}
	if len(c.Shape) < 2 {
		return nil, fmt.Errorf("codes %q of shape %v: expected a matrix, or a stack of them", codes, c.Shape)
	}
	if s.Name == scales {
		scales = s.Name // one string in memory for both
	}
	g := &Grid{Codes: codes, Scales: scales, Stack: 1, Exponents: exponents}
	at := len(c.Shape) - 2
	for _, n := range c.Shape[:at] {
		g.Stack *= n
	}
	g.Rows, g.Columns = c.Shape[at], c.Shape[at+1]
	refuse := func() error {
		want := fmt.Sprintf("one for all, or one for each row, %v", append(slices.Clone(c.Shape[:at+1]), 1))
		if blockRows > 0 {
			g.BlockRows, g.BlockColumns = blockRows, blockColumns
			want = fmt.Sprintf("%v, for blocks of %d × %d", append(slices.Clone(c.Shape[:at]), g.down(), g.across()), blockRows, blockColumns)
		}
		return fmt.Errorf("scales %q of shape %v over codes %q of shape %v: expected %s", scales, s.Shape, codes, c.Shape, want)
	}
	n, err := tensor.Elements(s.Shape)
	if err != nil || g.Stack*g.Rows*g.Columns == 0 {
		return nil, refuse()
	}
	down, across := int64(1), int64(1)
	switch lead := len(s.Shape) - at; {
	case n == 1 && g.Stack == 1:
	case n == 1: // one for a whole stack is one matrix
		g.Stack, g.Rows = 1, g.Stack*g.Rows
	case lead >= 0 && lead <= 2 && slices.Equal(s.Shape[:at], c.Shape[:at]):
		for i, x := range s.Shape[at:] {
			if i == 0 {
				down = x
			} else {
				across = x
			}
		}
	default:
		return nil, refuse()
	}
	// runs of a row with scales that are powers of two stand beside blocks (MX formats)
	if (exponents || s.DType == tensor.F8E8M0) && down == g.Rows && across > 0 && g.Columns%across == 0 {
		blockRows = 0
	}
	switch {
	case blockRows > 0 && n > 1:
		g.BlockRows, g.BlockColumns = blockRows, blockColumns
		if g.down() != down || g.across() != across {
			return nil, refuse()
		}
		return g, nil
	case down <= 0 || across <= 0 || g.Rows%down != 0 || g.Columns%across != 0 || down != 1 && down != g.Rows:
		return nil, refuse()
	}
	g.BlockRows, g.BlockColumns = g.Rows/down, g.Columns/across
	return g, nil
}

// tensorOf is a weight on a grid, under its plain name.
func tensorOf(src Source, g *Grid, name, format string) *Tensor {
	info, _ := src.Lookup(g.Codes)
	t := &Tensor{Info: tensor.Info{Name: name, DType: tensor.F32, Shape: info.Shape}, Format: format, Parts: []string{g.Codes, g.Scales}, Decode: g.Decode, Grid: g}
	for _, name := range []string{g.Zeros, g.Index} {
		if name != "" {
			t.Parts = append(t.Parts, name)
		}
	}
	return t
}
