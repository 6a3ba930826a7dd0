package retrofit

import (
	"context"
	"testing"

	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/posenc"
)

// TestInventedParts: selection and calibration refuse a part that they do not
// know by its name, before they read a text.
func TestInventedParts(t *testing.T) {
	m, src := open(t, "golden/qwen3")
	turns, err := Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	student, err := With(turns, posenc.NoPE(8), nil)
	if err != nil {
		t.Fatal(err)
	}
	text := [][]int64{make([]int64, 32)}
	refused := func(c familytest.Case) {
		w, err := newTestWalk(m, src)
		if err != nil {
			t.Fatal(err)
		}
		_, err = MeasureCosts(context.Background(), c.Model, src, w, text, nil, CostOptions{})
		c.Refused(t, "selection", err)
		_, err = Calibrate(context.Background(), c.Model, src, w, student, text, CalibrateOptions{Folder: t.TempDir()})
		c.Refused(t, "calibration", err)
	}
	for _, c := range familytest.Invented(m) {
		refused(c)
	}
	// A norm over all heads is known to others, and its weights are not one head's.
	wide := m.Clone()
	a := wide.Blocks[1].Attn()
	a.QNorm.Size = a.Heads * a.QKDim
	refused(familytest.Case{Name: "norm over all heads", Model: wide, Says: "norms of queries and keys over all heads"})
}
