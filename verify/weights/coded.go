package weights

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// strayCoded makes the numbers of all weights that the graph holds as codes and scales,
// and compares them with those that the checkpoint means; "" where all are the same.
// It tells as well of codes without scales and of scales without codes.
func (s *placed) strayCoded() string {
	inits := s.info.Initializers()
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		name := t.GetName()
		tensor, part, of, ok := names.CodedOf(name)
		scales := names.CodedWeight(tensor, part, names.Scales)
		switch {
		case ok && of != names.Scales && inits[scales] == nil:
			return fmt.Sprintf("the graph has %q and no scales of it", name)
		case ok && of == names.Scales:
			c, err := run.CodedOf(s.info, s.ckpt, name)
			if err == nil {
				err = s.compareCoded(c)
			}
			if err != nil {
				return err.Error()
			}
		case s.plainCodes(t) && s.unscaled(t):
			return fmt.Sprintf("the graph has the codes %q and no scales of them", name)
		}
	}
	return ""
}

// plainCodes tells codes that a graph has as they are stored.
func (s *placed) plainCodes(t *onnxpb.TensorProto) bool {
	p, ok := s.pieceOf(t)
	return ok && p.src != s.ckpt
}

// unscaled tells whether the graph has no scales of the rows of these codes.
func (s *placed) unscaled(t *onnxpb.TensorProto) bool {
	p, _ := s.pieceOf(t)
	for _, other := range s.info.Model.GetGraph().GetInitializer() {
		w, of, ok := run.CodedWeight(other.GetName())
		if ok && of == names.Scales && w.Tensor == p.of && (w.Rows == nil || covered(p.rows, w.Rows)) {
			return false
		}
	}
	return true
}

// compareCoded compares one weight; an error says where it differs.
func (s *placed) compareCoded(c *run.Coded) error {
	w := c.Weight
	info, ok := s.ckpt.Lookup(w.Tensor)
	if !ok {
		return fmt.Errorf("the graph has %q: the checkpoint has no such tensor", c.Scales.GetName())
	}
	matrix := tensor.Matrix(info.Shape)
	if w.Stored = info.Shape; w.Rows == nil {
		w.Rows = []family.Range{{Begin: 0, End: matrix[0]}}
	}
	const many = 64
	var from, to int64 // stored rows that want has
	var want []float32
	err := c.Numbers(s.ckpt, func(row int64, numbers []float32) error {
		stored := w.StoredRow(row)
		if stored < from || stored >= to {
			from, to = stored, min(stored+many, matrix[0])
			piece := family.Weight{Tensor: w.Tensor, Stored: info.Shape, Shape: []int64{to - from, matrix[1]}, Rows: []family.Range{{Begin: from, End: to}}}
			var err error
			if want, err = piece.Float32(s.ckpt); err != nil {
				return err
			}
		}
		if err := differs(c, stored, numbers, want[(stored-from)*matrix[1]:][:matrix[1]], 0); err == nil || c.Exact(s.ckpt, stored) {
			return err
		}
		return differs(c, stored, numbers, want[(stored-from)*matrix[1]:][:matrix[1]], roundoff)
	})
	store.Stored(s.ckpt).Release(w.Tensor)
	return err
}

// roundoff is how far a number may be off, in shares of it, where its scale is none of
// float32: by the scale's rounding and its own.
const roundoff = 0x1p-23

// differs tells of the first number of a row that is not what is stored. Where all of
// its block are off by one factor, so is the scale.
func differs(c *run.Coded, row int64, got, want []float32, roundoff float64) error {
	for j := range got {
		if off := math.Abs(float64(got[j]) - float64(want[j])); off <= roundoff*math.Abs(float64(want[j])) {
			continue
		}
		begin, end := c.Block(j)
		what := "codes"
		if c.Factor(got[begin:end], want[begin:end]) {
			what = "scale of the block"
		}
		return fmt.Errorf("the graph's %s of tensor %q: row %d, column %d is %v, the checkpoint's %v", what, c.Weight.Tensor, row, j, got[j], want[j])
	}
	return nil
}
