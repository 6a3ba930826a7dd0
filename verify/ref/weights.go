package ref

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// stored is a weight as the checkpoint keeps it: rows × cols elements. One whose
// numbers are made as they are read has no raw bytes here; they are made block by
// block.
type stored struct {
	weight     family.Weight
	src        family.Source
	file       string
	raw        []byte
	dtype      tensor.DType
	rows, cols int
	row        int // bytes
}

func (r *RunnerOf[T]) open(w family.Weight) (stored, error) {
	s := stored{weight: w, src: r.src, rows: 1}
	if where := store.Where(r.src, w.Tensor); where != "" {
		s.file = where + ": "
	}
	var err error
	if r.made(w) {
		s.rows, s.cols = int(w.Shape[0]), int(w.Shape[1])
		return s, nil
	}
	if s.raw, s.dtype, err = w.Bytes(r.src); err != nil {
		return stored{}, fmt.Errorf("%w", err)
	}
	n, err := tensor.Elements(w.Shape)
	if err != nil {
		return stored{}, fmt.Errorf("tensor %q: %w", w.Tensor, err)
	}
	if size, err := tensor.ByteSize(s.dtype, w.Shape); err != nil || int64(len(s.raw)) != size {
		return stored{}, fmt.Errorf("%stensor %q: %d bytes for shape %v of %s", s.file, w.Tensor, len(s.raw), w.Shape, s.dtype)
	}
	s.cols = int(n)
	if len(w.Shape) == 2 {
		s.rows, s.cols = int(w.Shape[0]), int(w.Shape[1])
	}
	if s.row = len(s.raw); s.rows > 1 {
		s.row /= s.rows
	}
	return s, nil
}

// made tells whether rows of a weight's numbers are made one by one as they are read:
// those of a quantised weight.
func (r *RunnerOf[T]) made(w family.Weight) bool {
	return w.Columns == nil && len(w.Shape) == 2 && store.Makes(r.src, w.Tensor)
}

// bytes are those of rows [begin, end).
func (s *stored) bytes(begin, end int) ([]byte, tensor.DType, error) {
	if s.raw == nil && s.row == 0 {
		return s.weight.Between(int64(begin), int64(end)).Bytes(s.src)
	}
	return s.raw[begin*s.row : end*s.row], s.dtype, nil
}

// decode writes rows [begin, end) to dst. A value that is not finite is an
// error that names the tensor and the element.
func decode[T Float](s *stored, dst []T, begin, end int) error {
	raw, dtype, err := s.bytes(begin, end)
	if err != nil {
		return err
	}
	if err := family.Decode(s.weight, s.src, dst, raw, dtype); err != nil {
		return err
	}
	if err := s.finite(raw, dtype, begin); err != nil || dtype != tensor.F64 {
		return err
	}
	return fits(s, dst, raw, begin)
}

// fits looks for a number that became infinite in dst: a float64, or a code times
// its scale.
func fits[T Float](s *stored, dst []T, raw []byte, begin int) error {
	for i, v := range dst {
		if math.IsInf(float64(v), 0) {
			stored, err := tensor.At(raw, s.dtype, int64(i))
			if err != nil {
				return fmt.Errorf("%stensor %q: %w", s.file, s.weight.Tensor, err)
			}
			return fmt.Errorf("%stensor %q: element %v is %v: float32 ends at 3.4e38", s.file, s.weight.Tensor, s.index(begin, int64(i)), stored)
		}
	}
	return nil
}

// index returns where the stored tensor has element at of what starts with row
// begin of the weight.
func (s *stored) index(begin int, at int64) []int64 {
	switch {
	case len(s.weight.Shape) == 2:
		return s.weight.StoredAt(int64(begin)+at/int64(s.cols), at%int64(s.cols))
	case s.weight.Columns != nil:
		return s.weight.StoredAt(0, at)
	case s.weight.Rows != nil:
		return []int64{s.weight.StoredRow(at)}
	}
	return []int64{at}
}

// finite looks for a value that is not finite in raw, whose first row is row
// begin of the weight.
func (s *stored) finite(raw []byte, dtype tensor.DType, begin int) error {
	at, found := tensor.NonFinite(raw, dtype)
	if !found {
		return nil
	}
	value, err := tensor.At(raw, dtype, at)
	if err != nil {
		return fmt.Errorf("%stensor %q: %w", s.file, s.weight.Tensor, err)
	}
	what := "infinite"
	if math.IsNaN(value) {
		what = "NaN"
	}
	return fmt.Errorf("%stensor %q: element %v is %s: a weight must be finite; the file is damaged or the training diverged", s.file, s.weight.Tensor, s.index(begin, at), what)
}

// vector decodes a whole weight, such as a norm's or a bias.
func (r *RunnerOf[T]) vector(w *family.Weight) ([]T, error) {
	if w == nil {
		return nil, nil
	}
	s, err := r.open(*w)
	if err != nil {
		return nil, err
	}
	out := make([]T, s.rows*s.cols)
	return out, decode(&s, out, 0, s.rows)
}

func (r *RunnerOf[T]) release(w family.Weight) { r.src.Release(w.Tensor) }
