package run

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
)

// TransposeOf reads the name of an initializer that is a weight the other way round:
// the tensor, and which of its rows and columns it is, nil for all.
func TransposeOf(name string) (w family.Weight, ok bool) {
	tensor, list, ok := names.TransposeOf(name)
	if !ok {
		return family.Weight{Tensor: tensor}, false
	}
	return rowsOf(tensor, list)
}

// rowsOf reads which rows and columns of a tensor are meant.
func rowsOf(tensor, list string) (w family.Weight, ok bool) {
	w = family.Weight{Tensor: tensor}
	if list == "" {
		return w, true
	}
	list, part, columns := strings.Cut(list, "|")
	for run := range strings.SplitSeq(list, ",") {
		n, ok := numbers(run, 2)
		if !ok || n[1] < n[0] {
			return family.Weight{}, false
		}
		w.Rows = append(w.Rows, family.Range{Begin: n[0], End: n[1]})
	}
	if columns {
		part, across := strings.CutSuffix(part, ":across")
		n, ok := numbers(part, 3)
		if !ok || n[1] < 1 {
			return family.Weight{}, false
		}
		w.Columns = &family.Columns{Begin: n[0], Step: n[1], Count: n[2], Across: across}
	}
	return w, true
}

// numbers reads so many numbers from 0 on between colons.
func numbers(text string, n int) (list []int64, ok bool) {
	for part := range strings.SplitSeq(text, ":") {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil || v < 0 {
			return nil, false
		}
		list = append(list, v)
	}
	return list, len(list) == n
}

// Transposed is a weight of rows as a graph holds it the other way round:
// float32, little-endian, column by column.
func Transposed(w *family.Weight, rows int64, src family.Source) ([]byte, error) {
	raw, d, err := w.Bytes(src)
	if err != nil {
		return nil, err
	}
	n := int64(len(raw)) / int64(d.Size())
	if rows < 1 || n%rows != 0 {
		return nil, fmt.Errorf("tensor %q: %d numbers are no %d rows", w.Tensor, n, rows)
	}
	numbers := make([]float32, n)
	if err := tensor.Decode32(numbers, raw, d); err != nil {
		return nil, err
	}
	out, columns := make([]byte, 4*n), n/rows
	for i := range rows {
		for j := range columns {
			binary.LittleEndian.PutUint32(out[4*(j*rows+i):], math.Float32bits(numbers[i*columns+j]))
		}
	}
	return out, nil
}
