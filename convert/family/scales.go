package family

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

// Scales are factors that lie in a tensor of their own. Element (i, j) of the
// stored matrix (rows, columns) is its code times element (i/Rows, j/Columns) of
// the scales, whose shape is (⌈rows/Rows⌉, ⌈columns/Columns⌉); with Rows and
// Columns of 0 the one scale of the tensor serves all elements.
//
// Published float8 checkpoints store weights so: in blocks of 128 × 128 with the
// scales in NAME_scale_inv (DeepSeek-V3, arXiv 2412.19437), or with one scale per
// tensor. No family of the table reads them yet: a configuration that says
// quantization_config is refused.
type Scales struct {
	// Tensor is the name of the scales' tensor.
	Tensor string
	// Rows and Columns are the sizes of a block of the weight's stored matrix.
	Rows, Columns int64
}

// scale multiplies the decoded rows of a weight, from its row first on, by their
// scales.
func scale[T float32 | float64](w Weight, src Source, x []T, first int64) error {
	s := w.Scales
	factors, err := Weight{Tensor: s.Tensor}.Float64(src)
	if err != nil {
		return err
	}
	info, _ := src.Lookup(s.Tensor)
	for i, f := range factors {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return store.Errorf(src, s.Tensor, "element %d is %v: a scale must be finite; the file is damaged", i, f)
		}
	}
	if s.Rows == 0 && s.Columns == 0 {
		if len(factors) != 1 {
			return fmt.Errorf("%d scales in tensor %q, expected one", len(factors), s.Tensor)
		}
		for i := range x {
			x[i] *= T(factors[0])
		}
		return nil
	}
	if w.Columns != nil {
		return fmt.Errorf("columns of a tensor with scales: %w", posenc.ErrUnsupported)
	}
	if len(w.Stored) != 2 || s.Rows <= 0 || s.Columns <= 0 {
		return fmt.Errorf("blocks of %d × %d over shape %v: expected blocks of a matrix", s.Rows, s.Columns, w.Stored)
	}
	rows, columns := w.Stored[0], w.Stored[1]
	down, across := (rows+s.Rows-1)/s.Rows, (columns+s.Columns-1)/s.Columns
	if want := []int64{down, across}; !slices.Equal(info.Shape, want) {
		return fmt.Errorf("scales %q of shape %v: expected %v for blocks of %d × %d over %v", s.Tensor, info.Shape, want, s.Rows, s.Columns, w.Stored)
	}
	for at := int64(0); (at+1)*columns <= int64(len(x)); at++ {
		line := factors[w.StoredRow(first+at)/s.Rows*across:][:across]
		for j := range columns {
			x[at*columns+j] *= T(line[j/s.Columns])
		}
	}
	return nil
}

// StoredRow maps a row of the weight to the row of its stored tensor.
func (w Weight) StoredRow(row int64) int64 {
	for _, r := range w.Rows {
		if n := r.End - r.Begin; row >= n {
			row -= n
			continue
		}
		return r.Begin + row
	}
	return row
}
