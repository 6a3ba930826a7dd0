package family

import (
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// wholeTable is the number of elements up to which a table of decays is read whole; of
// a larger one, as of 64 heads and blocks of 256, the last row of each head is, so that
// opening a model stays short.
const wholeTable = 1 << 16

// checkDecays holds stored tables of decays to the slopes: stock loaders compute a
// prompt with the tables and the tokens that follow with the slopes, and pecvt all of
// it with the slopes. Tables of other decays are refused, rounded ones a warning. With
// s_h the slope of head h and B the size of a block, they are
//
//	queries (h, i): e^{−s_h (i+1)};  keys (h, i): e^{−s_h (B−1−i)}
//	both (h, i, j): e^{−s_h (i−j)} for j ≤ i, else 0
func (m *Model) checkDecays(s store.Store) error {
	warned := false
	for i := range m.Blocks {
		l, ok := m.Blocks[i].Mixer.(*Lightning)
		if !ok {
			continue
		}
		slopes, kind := l.Slopes, tensor.F32
		if l.Stored != nil {
			info, ok := s.Lookup(l.Stored.Tensor)
			if !ok || !sameShape(info.Shape, l.Stored.Stored) {
				continue // claim says so
			}
			var err error
			if slopes, err = m.hold(s, *l.Stored); err != nil {
				return err
			}
			kind = info.DType
		}
		if kind != tensor.F32 && !warned {
			m.Warn("%s is stored as %s: stock loaders compute a prompt with other decays beside it, each rounded, and the tokens that follow with it alone, as pecvt does all of them", l.Stored.Tensor, kind)
			warned = true
		}
		for k, name := range l.decays {
			if err := m.heldDecays(s, name, k == 2, slopes, roundings[kind], func(s float64, block, i, j int) float64 {
				switch {
				case k == 0:
					return math.Exp(-s * float64(i+1))
				case k == 1:
					return math.Exp(-s * float64(block-1-i))
				case j > i:
					return 0
				}
				return math.Exp(-s * float64(i-j))
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// roundings are how far a number below 1 may be off for its type.
var roundings = map[tensor.DType]float64{tensor.F16: 1.0 / (1 << 11), tensor.BF16: 1.0 / (1 << 8)}

// heldDecays compares a table, (heads, block, 1) or (1, heads, block, block) where
// square, with want; unit is how far the slopes may be off.
func (m *Model) heldDecays(s store.Store, name string, square bool, slopes []float64, unit float64, want func(slope float64, block, i, j int) float64) error {
	info, ok := s.Lookup(name)
	if !ok {
		return nil // loaders make it
	}
	heads := int64(len(slopes))
	var shape []int64
	if square && len(info.Shape) == 4 {
		shape = []int64{1, heads, info.Shape[2], info.Shape[2]}
	} else if !square && len(info.Shape) == 3 {
		shape = []int64{heads, info.Shape[1], 1}
	}
	if !slices.Equal(info.Shape, shape) || !info.DType.IsFloat() {
		return store.Errorf(s, name, "%s of shape %v: expected a table of decays of %d heads; remove it, and loaders make it anew", info.DType, info.Shape, heads)
	}
	block := int(shape[len(shape)-2])
	width, first := int(shape[len(shape)-1]), 0
	if square && int(heads)*block*block > wholeTable {
		first = block - 1
	}
	within := 1e-5 + unit + roundings[info.DType]
	for h, slope := range slopes {
		at := int64(h * block)
		w := Weight{Tensor: name, Rows: []Range{{at + int64(first), at + int64(block)}}}
		values, err := m.hold(s, w)
		if err != nil {
			return err
		}
		for n, got := range values {
			i, j := first+n/width, n%width
			if x := want(slope, block, i, j); !(math.Abs(got-x) <= within) {
				return store.Errorf(s, name, "head %d, row %d, column %d is %v, and the slope %v of that head makes it %v: %w", h, i, j, got, slope, x,
					Unsupported("stock loaders compute a prompt with these decays and what follows with the slopes; remove slope_rate and the tables of decays, and loaders make all of them anew"))
			}
		}
	}
	return nil
}
