package verify

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// firstLayer tells where the residual stream of the graph, in the interpreter,
// first leaves the reference's: text to add to a sentence, or "" where that
// cannot be told. It runs the prompt once more on both.
func (s *session) firstLayer() string {
	if s.leaves == nil {
		text := s.compareLayers()
		s.leaves = &text
	}
	return *s.leaves
}

func (s *session) compareLayers() string {
	runner := run.Exact(s.others)
	if runner == nil || len(s.in.IDs) == 0 {
		return ""
	}
	s.step("%s: layer by layer", runner.Name())
	// Of the rounded constants' effect, which grows with the scores, nothing is to
	// be blamed on a layer.
	hidden, err := s.ref.Rounded().Hidden(s.ctx, s.in)
	if err != nil {
		return ""
	}
	last := len(s.model.Blocks)
	found, err := run.Residuals(s.ctx, runner, s.info, s.model, s.in)
	for i := 0; i <= last && i < len(hidden); i++ {
		got, ok := found[i]
		if !ok || len(got) != len(hidden[i].Data) {
			if err != nil {
				return ""
			}
			continue
		}
		if far(got, hidden[i].Data) {
			return "; it first shows in " + stage(i, last)
		}
	}
	if err != nil {
		return ""
	}
	return "; it first shows in the head"
}

// stage names the part of a model whose output is hidden[i].
func stage(i, layers int) string {
	switch i {
	case 0:
		return "the embedding"
	case layers:
		return fmt.Sprintf("layer %d (the last) or the final norm", layers-1)
	default:
		return fmt.Sprintf("layer %d", i-1)
	}
}

// far reports whether two equally long slices differ by more than a float64
// runner may.
func far(got, want []float64) bool {
	var worst, largest float64
	for i, w := range want {
		d := math.Abs(got[i] - w)
		if math.IsNaN(d) {
			return true
		}
		worst, largest = max(worst, d), max(largest, math.Abs(w))
	}
	return worst > report.Float64.Limit()*largest
}
