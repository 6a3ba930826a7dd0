package interp

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// codes are a matrix (rows, cols) of integers of so many bits, in blocks of a row's
// columns that share a scale and a zero point:
//
//	w(i, j) = (code(i, j) − zero(i, j / block)) · scale(i, j / block)
//
// Codes of 4 bits lie two in a byte, the first one low; a row's blocks are whole, the
// last with codes that serve nothing.
type codes struct {
	rows, cols  int
	bits, block int
	packed      *weight // bytes, row by row
	raw         []int64 // the same where they are no weight
	scales      []float64
	zeros       []float64 // nil: half of the codes' range
}

// across is how many blocks a row has.
func (c *codes) across() int { return (c.cols + c.block - 1) / c.block }

// decode fills dst with rows [from, from+n).
func (c *codes) decode(dst []float64, from, n int) error {
	across, size := c.across(), c.block*c.bits/8 // bytes of a block
	begin, length := from*across*size, n*across*size
	list := make([]byte, length)
	if c.packed != nil {
		if err := c.packed.decodeInto(begin, length, func(to int, raw []byte) error { copy(list[to:], raw); return nil }); err != nil {
			return err
		}
	} else {
		for j, x := range c.raw[begin:][:length] {
			list[j] = byte(x)
		}
	}
	zero := float64(int(1) << (c.bits - 1))
	for k := range n * across {
		if c.zeros != nil {
			zero = c.zeros[from*across+k]
		}
		row, at := k/across, k%across*c.block
		c.meaning(dst[row*c.cols+at:][:min(c.block, c.cols-at)], list[k*size:][:size], zero, c.scales[from*across+k])
	}
	return nil
}

// meaning writes the numbers of one block, whose last codes may serve nothing.
func (c *codes) meaning(dst []float64, list []byte, zero, scale float64) {
	if c.bits == 8 {
		for j := range dst {
			dst[j] = (float64(list[j]) - zero) * scale
		}
		return
	}
	var of [16]float64 // what each code means here
	for code := range of {
		of[code] = (float64(code) - zero) * scale
	}
	for j := range dst {
		dst[j] = of[list[j/2]>>(j%2*4)&15]
	}
}

// codesOf reads the inputs that are codes, scales and zero points, which may be left out.
func (c *call) codesOf(data, scales, zeros, rows, cols, block int) (*codes, error) {
	bits := c.int("bits", 4)
	if bits != 4 && bits != 8 {
		return nil, fmt.Errorf("bits is %d; want 4 or 8", bits)
	}
	if block < 16 || block&(block-1) != 0 {
		return nil, fmt.Errorf("block_size is %d; want a power of two from 16 on", block)
	}
	if err := errors.Join(c.need(data, Int), c.need(scales, Float)); err != nil {
		return nil, err
	}
	w := &codes{rows: rows, cols: cols, bits: bits, block: block}
	b := c.in[data]
	if b.weight != nil && b.weight.dtype != tensor.U8 {
		return nil, fmt.Errorf("input %d is %s; want U8", data, b.weight.dtype)
	}
	across := w.across()
	if n := rows * across * block * bits / 8; b.Len() != n {
		return nil, fmt.Errorf("input %d is %v; want %d bytes for %d rows of %d codes of %d bits", data, b, n, rows, cols, bits)
	}
	w.packed, w.raw = b.weight, b.I
	s, err := c.in[scales].dense()
	if err != nil {
		return nil, err
	}
	if s.Len() != rows*across {
		return nil, fmt.Errorf("input %d is %v; want %d scales for each of %d rows", scales, s, across, rows)
	}
	w.scales = s.F
	z, err := c.arg(zeros).dense()
	if z == nil || err != nil {
		return w, err
	}
	if z.Kind == Float {
		if z.Len() != rows*across {
			return nil, fmt.Errorf("input %d is %v; want %d zero points for each of %d rows", zeros, z, across, rows)
		}
		w.zeros = z.F
		return w, nil
	}
	line := (across*bits + 7) / 8
	if z.Kind != Int || z.Len() != rows*line {
		return nil, fmt.Errorf("input %d is %v; want %d bytes of zero points for each of %d rows", zeros, z, line, rows)
	}
	w.zeros = make([]float64, rows*across)
	for i := range w.zeros {
		row, k := i/across, i%across
		code := z.I[row*line+k*bits/8]
		if bits == 4 {
			code = code >> (k % 2 * 4) & 15
		}
		w.zeros[i] = float64(code)
	}
	return w, nil
}

// roundedBlocks rounds each block of a row of k numbers to whole steps of its largest
// one's 127th part.
func roundedBlocks(x []float64, k, block int) []float64 {
	out := make([]float64, len(x))
	for row := 0; row < len(x); row += k {
		for from := row; from < row+k; from += block {
			to := min(from+block, row+k)
			largest := 0.0
			for _, v := range x[from:to] {
				largest = max(largest, math.Abs(v))
			}
			if largest == 0 {
				continue
			}
			step := largest / 127
			for i := from; i < to; i++ {
				out[i] = math.RoundToEven(x[i]/step) * step
			}
		}
	}
	return out
}

// matMulNBits is A wᵀ (+ bias), w being (N, K) codes in blocks along K. What
// accuracy_level lets a runtime round is computed in full, but for
// [Options.RoundInputs].
func matMulNBits(c *call) ([]*Array, error) {
	if c.arg(4) != nil {
		return nil, errors.New("an order of groups (g_idx) is not supported")
	}
	if c.int("weight_prepacked", 0) != 0 {
		return nil, errors.New("weights packed for one provider are not supported")
	}
	n, k := c.int("N", 0), c.int("K", 0)
	if n < 1 || k < 1 {
		return nil, fmt.Errorf("sizes N = %d, K = %d: want both from 1 on", n, k)
	}
	w, err := c.codesOf(1, 2, 3, n, k, c.int("block_size", 0))
	if err != nil {
		return nil, err
	}
	if err := c.need(0, Float); err != nil {
		return nil, err
	}
	a, err := c.in[0].dense()
	if err != nil {
		return nil, err
	}
	last := len(a.Shape) - 1
	if last < 0 || a.Shape[last] != k {
		return nil, fmt.Errorf("input 0 is %v; want %d in its last axis", a, k)
	}
	out, err := newArray(Float, append(slices.Clone(a.Shape[:last]), n)...)
	if err != nil {
		return nil, err
	}
	if bias, err := c.arg(5).dense(); err != nil {
		return nil, err
	} else if bias != nil {
		if bias.Kind != Float || bias.Len() != n {
			return nil, fmt.Errorf("input 5 is %v; want %d numbers", bias, n)
		}
		for i := range out.F {
			out.F[i] = bias.F[i%n]
		}
	}
	x := a.F
	if c.options.RoundInputs && c.int("accuracy_level", 0) == 4 {
		x = roundedBlocks(x, k, w.block)
	}
	err = product(c.ctx, out.F, 1, x, a.Len()/k, matrix{rows: n, cols: k, codes: w})
	return []*Array{out}, err
}

// gatherBlockQuantized takes rows of a matrix of codes, packed along the row, that
// is quantised in blocks along it.
func gatherBlockQuantized(c *call) ([]*Array, error) {
	if c.int("gather_axis", 0) != 0 || c.int("quantize_axis", 1) != 1 {
		return nil, errors.New("gather_axis is 0 and quantize_axis 1 in what is supported")
	}
	ids, err := gatherIndices(c)
	if err != nil {
		return nil, err
	}
	data := c.in[0]
	if len(data.Shape) != 2 {
		return nil, fmt.Errorf("input 0 is %v; want a matrix", data)
	}
	rows, cols := data.Shape[0], data.Shape[1]*8/max(c.int("bits", 4), 1)
	w, err := c.codesOf(0, 2, 3, rows, cols, c.int("block_size", 128))
	if err != nil {
		return nil, err
	}
	out, err := newArray(Float, append(slices.Clone(c.in[1].Shape), cols)...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		row, err := index(id, rows)
		if err != nil {
			return nil, err
		}
		if err := w.decode(out.F[i*cols:(i+1)*cols], row, 1); err != nil {
			return nil, err
		}
	}
	return []*Array{out}, nil
}
