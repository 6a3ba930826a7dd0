package onnxops

import (
	"fmt"
	"io"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// transposed returns the weight (out, in) as an initializer (in, out) of float32,
// under the weight's name marked so. Tools that quantise weights look for a constant
// of that type and order: behind a Cast or a Transpose they find none.
func (s *initializers) transposed(w family.Weight) *graph.Value {
	if _, ok := s.readable(w); !ok {
		return &graph.Value{}
	}
	if len(w.Shape) != 2 {
		return s.fail(store.Errorf(s.src, w.Tensor, "a linear map of shape %v: expected (out, in)", w.Shape))
	}
	name := names.TransposedWeight(w.Tensor, partOf(w))
	dims := []int64{w.Shape[1], w.Shape[0]}
	length := 4 * dims[0] * dims[1]
	return s.made(name, w.Tensor, graph.Float, dims, length, func(out io.Writer) error { return writeTransposed(out, s.src, w) })
}

// partOf names the rows and columns of its tensor that a weight is, "" for all.
func partOf(w family.Weight) string {
	var runs []string
	for _, r := range family.JoinRanges(w.Rows) {
		runs = append(runs, fmt.Sprintf("%d:%d", r.Begin, r.End))
	}
	part := strings.Join(runs, ",")
	if c := w.Columns; c != nil {
		part += fmt.Sprintf("|%d:%d:%d", c.Begin, c.Step, c.Count)
		if c.Across {
			part += ":across"
		}
	}
	return part
}

// transposeBytes bounds what writeTransposed holds beside the stored tensor.
const transposeBytes = 8 << 20

// writeTransposed writes a weight (out, in) as float32, little-endian, column by
// column.
func writeTransposed(w io.Writer, src store.Store, weight family.Weight) error {
	raw, d, err := weight.Bytes(src)
	if err != nil {
		return err
	}
	defer src.Release(weight.Tensor)
	rows, columns := int(weight.Shape[0]), int(weight.Shape[1])
	size := d.Size()
	if len(raw) != rows*columns*size {
		return store.Errorf(src, weight.Tensor, "%d bytes of %s: expected those of %v", len(raw), d, weight.Shape)
	}
	block := min(max(transposeBytes/(4*max(rows, 1)), 1), max(columns, 1))
	row, out, bytes := make([]float32, block), make([]float32, block*rows), make([]byte, 4*block*rows)
	for from := 0; from < columns; from += block {
		n := min(block, columns-from)
		for i := range rows {
			at := (i*columns + from) * size
			if err := tensor.Decode32(row[:n], raw[at:at+n*size], d); err != nil {
				return store.Errorf(src, weight.Tensor, "%w", err)
			}
			for j, x := range row[:n] {
				out[j*rows+i] = x
			}
		}
		if err := tensor.Encode32(bytes[:4*n*rows], out[:n*rows], tensor.F32); err != nil {
			return store.Errorf(src, weight.Tensor, "%w", err)
		}
		if _, err := w.Write(bytes[:4*n*rows]); err != nil {
			return err
		}
	}
	return nil
}
