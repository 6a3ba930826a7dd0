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
// the tensor, and the rows that it is of, nil for all.
func TransposeOf(name string) (weight string, rows []family.Range, ok bool) {
	weight, list, ok := names.TransposeOf(name)
	if !ok || list == "" {
		return weight, nil, ok
	}
	for run := range strings.SplitSeq(list, ",") {
		first, last, _ := strings.Cut(run, ":")
		begin, err1 := strconv.ParseInt(first, 10, 64)
		end, err2 := strconv.ParseInt(last, 10, 64)
		if err1 != nil || err2 != nil || begin < 0 || end < begin {
			return "", nil, false
		}
		rows = append(rows, family.Range{Begin: begin, End: end})
	}
	return weight, rows, true
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
