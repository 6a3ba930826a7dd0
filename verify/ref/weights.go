package ref

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
)

// stored is a weight as the checkpoint keeps it: rows × cols elements.
type stored struct {
	weight     family.Weight
	file       string
	raw        []byte
	dtype      tensor.DType
	rows, cols int
}

func (r *RunnerOf[T]) open(w family.Weight) (stored, error) {
	s := stored{weight: w, rows: 1}
	if _, file, ok := r.src.Lookup(w.Tensor); ok && file != nil {
		s.file = file.Path + ": "
	}
	var err error
	if s.raw, s.dtype, err = w.Bytes(r.src); err != nil {
		return stored{}, fmt.Errorf("%w", err)
	}
	n, err := tensor.Elements(w.Shape)
	if err != nil {
		return stored{}, fmt.Errorf("tensor %q: %w", w.Tensor, err)
	}
	if int64(len(s.raw)) != n*int64(s.dtype.Size()) {
		return stored{}, fmt.Errorf("%stensor %q: %d bytes for shape %v of %s", s.file, w.Tensor, len(s.raw), w.Shape, s.dtype)
	}
	s.cols = int(n)
	if len(w.Shape) == 2 {
		s.rows, s.cols = int(w.Shape[0]), int(w.Shape[1])
	}
	return s, nil
}

// decode writes rows [begin, end) to dst. A value that is not finite is an
// error that names the tensor and the element.
func decode[T Float](s *stored, dst []T, begin, end int) error {
	size := s.cols * s.dtype.Size()
	raw := s.raw[begin*size : end*size]
	var err error
	switch dst := any(dst).(type) {
	case []float64:
		err = tensor.Decode64(dst, raw, s.dtype)
	case []float32:
		err = tensor.Decode32(dst, raw, s.dtype)
	}
	if err != nil {
		return fmt.Errorf("%stensor %q: %w", s.file, s.weight.Tensor, err)
	}
	if err := s.finite(raw, begin); err != nil || s.dtype != tensor.F64 {
		return err
	}
	return fits(s, dst, raw, begin)
}

// fits looks for a float64 that became infinite in dst.
func fits[T Float](s *stored, dst []T, raw []byte, begin int) error {
	for i, v := range dst {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("%stensor %q: element %v is %v: float32 ends at 3.4e38", s.file, s.weight.Tensor, s.index(begin, int64(i)), math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
	return nil
}

// index returns where the stored tensor has element at of what starts with row
// begin of the weight.
func (s *stored) index(begin int, at int64) []int64 {
	switch {
	case len(s.weight.Shape) == 2:
		return []int64{storedRow(s.weight.Rows, int64(begin)+at/int64(s.cols)), at % int64(s.cols)}
	case s.weight.Rows != nil:
		return []int64{storedRow(s.weight.Rows, at)}
	}
	return []int64{at}
}

// finite looks for a value that is not finite in raw, whose first row is row
// begin of the weight.
func (s *stored) finite(raw []byte, begin int) error {
	at, found := tensor.NonFinite(raw, s.dtype)
	if !found {
		return nil
	}
	var value [1]float64
	size := int64(s.dtype.Size())
	if err := tensor.Decode64(value[:], raw[at*size:(at+1)*size], s.dtype); err != nil {
		return fmt.Errorf("%stensor %q: %w", s.file, s.weight.Tensor, err)
	}
	what := "infinite"
	if math.IsNaN(value[0]) {
		what = "NaN"
	}
	return fmt.Errorf("%stensor %q: element %v is %s: a weight must be finite; the file is damaged or the training diverged", s.file, s.weight.Tensor, s.index(begin, at), what)
}

// storedRow maps a row of a weight to the row of its stored tensor.
func storedRow(ranges []family.Range, row int64) int64 {
	for _, r := range ranges {
		if n := r.End - r.Begin; row >= n {
			row -= n
			continue
		}
		return r.Begin + row
	}
	return row
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

// releaser is a Source that can give back the memory behind a tensor.
type releaser interface{ Release(name string) }

func (r *RunnerOf[T]) release(w family.Weight) {
	if rel, ok := r.src.(releaser); ok {
		rel.Release(w.Tensor)
	}
}
