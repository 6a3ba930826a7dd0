package figures

import (
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// TestScoreMean holds the closed form of a mean of scores against the sum of
// the rotated products that it stands for.
func TestScoreMean(t *testing.T) {
	a := &family.Attention{Heads: 2, KVHeads: 1, QKDim: 6, VDim: 6, Scale: 0.5, Bias: &family.Bias{Kind: family.ALiBi, Slopes: []float64{0.25, 0.75}},
		Rotary: posenc.Rotary{HeadDim: 6, Dim: 4, Pairing: posenc.Halves, Spectrum: posenc.Spectrum{InvFreq: []float64{1, 0}, Gain: 1.25}}}
	m := &family.Model{Blocks: []family.Block{{Mixer: a}}}
	q := [][]float64{{1, -2, 0.5, 3, 0.25, 1}, {0.5, 1, 2, -1, 1, 2}}
	k := []float64{0.3, 1, -1, 2, 0.5, -0.5}
	s, err := scoreOf(m, nil, func(_, h int) (qh, kh []float64) { return q[h], k })
	if err != nil {
		t.Fatal(err)
	}
	direct := func(n int) float64 {
		sum := 0.0
		for h := range q {
			x, y := append([]float64(nil), q[h]...), append([]float64(nil), k...)
			a.Rotary.Turn(x, 0, []float64{float64(n + 5)})
			a.Rotary.Turn(y, 0, []float64{5})
			for c := range x {
				sum += a.Scale * x[c] * y[c] / 2
			}
			sum -= a.Bias.Slopes[h] * float64(n) / 2
		}
		return sum
	}
	for _, r := range [][2]int{{0, 0}, {1, 1}, {3, 3}, {10, 17}, {100, 1000}} {
		want := 0.0
		for n := r[0]; n <= r[1]; n++ {
			want += direct(n) / float64(r[1]-r[0]+1)
		}
		if got := s.mean(r[0], r[1]); math.Abs(got-want) > 1e-10*math.Max(1, math.Abs(want)) {
			t.Errorf("distances %d to %d: %v, want %v", r[0], r[1], got, want)
		}
	}
}

// TestPlaneRows: what became of a plane, by index, and by frequency where a
// layout left planes out.
func TestPlaneRows(t *testing.T) {
	s := &maker{model: &family.Model{TrainedLength: 512}}
	source := posenc.Spectrum{InvFreq: []float64{1, 0.1, 0.01, 0.001, 0}, Gain: 1}
	for name, c := range map[string]struct {
		now  posenc.Spectrum
		want []string
	}{
		"same":    {source, []string{"kept", "kept", "kept", "kept", "still"}},
		"hope":    {posenc.Spectrum{InvFreq: []float64{1, 0.1, 0, 0, 0}}, []string{"kept", "kept", "dropped", "dropped", "still"}},
		"scaled":  {posenc.Spectrum{InvFreq: []float64{1, 0.05, 0.01, 0.0005, 0}}, []string{"kept", "scaled", "kept", "scaled", "still"}},
		"removed": {posenc.Spectrum{InvFreq: []float64{1, 0.1, 0.01, 0.001, 0}, Removed: []bool{false, false, true, true, false}}, []string{"kept", "kept", "removed", "removed", "still"}},
		"partial": {posenc.Spectrum{InvFreq: []float64{1, 0.1}}, []string{"kept", "kept", "dropped", "dropped", "still"}},
	} {
		for p, row := range s.planeRows(0, 0, c.now, source) {
			if row.State != c.want[p] {
				t.Errorf("%s: plane %d is %s, want %s", name, p, row.State, c.want[p])
			}
			if band := []string{"high", "high", "activated", "top-low", "top-low"}[p]; p != 2 && row.Band != band {
				t.Errorf("%s: plane %d is in band %s, want %s", name, p, row.Band, band)
			}
		}
	}
}
