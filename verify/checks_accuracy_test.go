package verify

import (
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
)

// TestJudgeRounded: an answer may be as far from the interpreter's as two roundings
// that have nothing to do with each other, and no further.
func TestJudgeRounded(t *testing.T) {
	mixture := &family.Model{Blocks: []family.Block{{FeedForward: &family.Experts{}}}}
	for _, tt := range []struct {
		off   float64
		model *family.Model
		want  report.Verdict
	}{
		{0, &family.Model{}, report.Pass},
		{0.019, &family.Model{}, report.Pass},
		{0.021, &family.Model{}, report.Fail},
		{math.NaN(), &family.Model{}, report.Fail},
		{0.019, mixture, report.Pass},
		{0.021, mixture, report.Ambiguous},
	} {
		rounded := &report.Logits{B: 1, S: 2, V: 3, Data: []float64{1, -2, 3, 4, 0, 2}}
		got := &report.Logits{B: 1, S: 2, V: 3, Data: slices.Clone(rounded.Data)}
		got.Data[4] += tt.off * 4
		s := &session{model: tt.model, answers: want{keep: func(_, _ int) bool { return true }}}
		c := report.Check{Name: report.CheckRoundedInputs}
		if err := s.judgeRounded(&c, got, rounded, 0.01); err != nil {
			t.Fatal(err)
		}
		if c.Verdict != tt.want {
			t.Errorf("off by %v of 4: %s (%s), want %s", tt.off, c.Verdict, c.Detail, tt.want)
		}
	}
}
