package weights

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/run"
)

// strayRounded makes the numbers that the graph's codes mean and holds each against the
// checkpoint's: a code is the nearest where they are no farther apart than half of the
// block's scale. Codes that were chosen otherwise are held row by row: two scales apart
// in the mean square is what no such choice makes, and any fault of order. It tells as well of scales and zero points without codes; "" where all
// is well.
func (s *placed) strayRounded() string {
	list, files, err := run.RoundedOf(s.info, s.ckpt)
	if err != nil {
		return err.Error()
	}
	defer files.Close()
	inits := s.info.Initializers()
	coded := []names.Rounded{names.RoundedCodes4, names.RoundedCodes8, names.RoundedElements4}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		stored, part, of, ok := names.RoundedOf(t.GetName())
		if ok && !of.HoldsCodes() && !slices.ContainsFunc(coded, func(of names.Rounded) bool { return inits[names.RoundedWeight(stored, part, of)] != nil }) {
			return fmt.Sprintf("the graph has %q and no codes of it", t.GetName())
		}
	}
	if found := s.unlikeScheme(list); found != "" {
		return found
	}
	for _, r := range list {
		if err := s.nearest(r); err != nil {
			return err.Error()
		}
	}
	return ""
}

// nearest holds one weight; an error says where it differs.
func (s *placed) nearest(r *run.Rounded) error {
	digits := 24.0
	switch info, _ := s.ckpt.Lookup(r.Weight.Tensor); info.DType {
	case tensor.BF16:
		digits = 8
	case tensor.F16:
		digits = 11
	}
	numbers, scales := make([]float64, r.Columns), make([]float64, r.Across())
	many := max(1<<19/r.Columns, 1)
	if r.Weight.Columns != nil {
		many = r.Rows
	}
	for begin := int64(0); begin < r.Rows; begin += many {
		end := min(begin+many, r.Rows)
		part := r.Weight
		if part.Columns == nil {
			part = part.Between(begin, end)
		}
		want, err := part.Float64(s.ckpt)
		if err != nil {
			return err
		}
		for i := begin; i < end; i++ {
			if err := r.Line(i, numbers, scales); err != nil {
				return err
			}
			given := 0.0
			for j, x := range numbers {
				w, scale := want[(i-begin)*r.Columns+int64(j)], scales[j/r.Block]
				if s.info.Rounding == "given" {
					given += (x - w) * (x - w) / max(scale*scale, 1e-300)
					continue
				}
				if off := math.Abs(x - w); !(off <= math.Abs(scale)/2*(1+1e-6)+math.Abs(w)*math.Exp2(-digits)) {
					return fmt.Errorf("the graph's codes of tensor %q: row %d, column %d means %v, the checkpoint has %v: farther than half of the block's scale, %v", r.Weight.Tensor, i, j, x, w, scale)
				}
			}
			if rms := math.Sqrt(given / float64(r.Columns)); !(rms <= 2) {
				return fmt.Errorf("the graph's codes of tensor %q: row %d means numbers that are %.2g scales from the checkpoint's in the mean square: expected 2 at the most", r.Weight.Tensor, i, rms)
			}
		}
		s.ckpt.Release(r.Weight.Tensor)
	}
	return nil
}
