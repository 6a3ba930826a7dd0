package bisect

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// judgeRounded tells whose what a node reads of rounded weights is; false where it reads
// none. The reference's numbers are made of the same codes, scales, lows and zero points,
// so that those of the weight that the node computes with are right, and another's are
// not; whether they are the checkpoint's numbers, rounded, is for the check of weights. A
// constant beside them is no weight.
func judgeRounded(list []report.TensorFinding, sources []*onnxpb.TensorProto, should *family.Weight) bool {
	found := false
	for i, t := range sources {
		w, ok := run.RoundedWeight(t.GetName())
		if !ok {
			continue
		}
		found = true
		f := &list[i]
		if f.Expected, f.State = should.Tensor, report.StateGood; w.Tensor != should.Tensor || !sameRows(w.Rows, should.Rows) {
			f.State, f.MaxRel, f.Note = report.StateBad, report.Number(math.Inf(1)), "it is of another weight, or of other rows"
		}
	}
	return found
}

// sameRows tells whether two lists of runs of rows are the same rows in one order; nil is
// all of a tensor's.
func sameRows(a, b []family.Range) bool {
	return slices.Equal(family.JoinRanges(a), family.JoinRanges(b))
}

// scalesOf names the scales of the codes among initialisers, "" where none are codes.
func scalesOf(sources []*onnxpb.TensorProto) string {
	for _, t := range sources {
		if stored, part, _, ok := names.CodedOf(t.GetName()); ok {
			return names.CodedWeight(stored, part, names.Scales)
		}
	}
	return ""
}

// compareCoded makes the numbers of codes and scales and compares them with the
// checkpoint's weight: max |got − want| / max |want|.
func (s *search) compareCoded(scales string, should *family.Weight) (off float64, note string, err error) {
	c, err := run.CodedOf(s.info, s.ckpt, scales)
	if err != nil {
		return 0, "", err
	}
	w := c.Weight
	if should.Columns == nil { // else the rows that its columns are chosen of
		w = *should
	}
	info, ok := s.ckpt.Lookup(w.Tensor)
	if !ok {
		return 0, "", fmt.Errorf("the checkpoint has no tensor %q", w.Tensor)
	}
	matrix := tensor.Matrix(info.Shape)
	width := matrix[len(matrix)-1]
	var worst, largest float64
	differ, total := 0, 0
	err = c.Numbers(s.ckpt, func(row int64, numbers []float32) error {
		row = w.StoredRow(row)
		if row >= matrix[0] || int64(len(numbers)) != width {
			return fmt.Errorf("it has a row %d of %d numbers: expected those of %v", row, len(numbers), matrix)
		}
		line := family.Weight{Tensor: w.Tensor, Stored: info.Shape, Shape: []int64{1, width}, Rows: []family.Range{{Begin: row, End: row + 1}}}
		want, err := line.Float64(s.ckpt)
		if err != nil {
			return err
		}
		for j, x := range numbers {
			d := math.Abs(float64(x) - want[j])
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			if d > 0x1p-23*math.Abs(want[j]) {
				differ++
			}
			worst, largest = max(worst, d), max(largest, math.Abs(want[j]))
		}
		total += len(numbers)
		return nil
	})
	if err != nil || differ == 0 {
		return 0, "", err
	}
	return report.Ratio(worst, largest), fmt.Sprintf("%d of %d numbers that its codes and scales make differ from the checkpoint's", differ, total), nil
}
