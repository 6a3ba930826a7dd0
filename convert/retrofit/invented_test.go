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
	// A norm of other sizes than one head or all of them is none that is known.
	odd := m.Clone()
	odd.Blocks[1].Attn().QNorm.Size = 8
	w, err := newTestWalk(m, src)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Calibrate(context.Background(), odd, src, w, student, text, CalibrateOptions{Folder: t.TempDir()})
	familytest.Case{Name: "norm of half a head", Model: odd, Says: "a norm of 8 numbers over 4 heads of 16"}.Refused(t, "calibration", err)
}
