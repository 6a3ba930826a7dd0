package family

import (
	"math"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Sinusoids is a stored table that stock loaders turn by, (positions, 2·planes): row t
// is sin(t θ_0), sin(t θ_1), …, then the cosines.
type Sinusoids struct {
	Tensor  string
	InvFreq []float64
}

// TurnsByTable says that positions turn as a stored table has it. It is no weight: where
// it is stored it must hold what it is named after, and Load refuses it otherwise.
func (m *Model) TurnsByTable(s Sinusoids) {
	m.sines = &s
	m.Ignored = append(m.Ignored, s.Tensor)
}

// checkSinusoids holds the table against what the model turns by.
func (m *Model) checkSinusoids(s store.Store) error {
	if m.sines == nil {
		return nil
	}
	info, ok := s.Lookup(m.sines.Tensor)
	if !ok {
		return nil // loaders make it
	}
	planes, rows := len(m.sines.InvFreq), int64(m.MaxPositions)
	shape := []int64{rows, int64(2 * planes)}
	if !sameShape(info.Shape, shape) {
		return store.Errorf(s, m.sines.Tensor, "shape %v: config.json asks for %v", info.Shape, shape)
	}
	values, err := m.hold(s, whole(m.sines.Tensor, shape...))
	if err != nil {
		return err
	}
	unit := map[tensor.DType]float64{tensor.F16: 1.0 / (1 << 11), tensor.BF16: 1.0 / (1 << 8)}[info.DType]
	for i, x := range values {
		t, j := i/(2*planes), i%(2*planes)
		want := math.Sin(float64(t) * m.sines.InvFreq[j%planes])
		if j >= planes {
			want = math.Cos(float64(t) * m.sines.InvFreq[j-planes])
		}
		if !(math.Abs(x-want) <= 1e-6+unit) {
			return store.Errorf(s, m.sines.Tensor, "position %d, column %d is %v, and the sinusoid there %v: %w", t, j, x, want,
				Unsupported("positions that turn by another table than the family's"))
		}
	}
	return nil
}
