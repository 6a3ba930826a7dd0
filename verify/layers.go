package verify

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
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
	found, err := s.residualsOf(runner, s.in)
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

// residualsOf runs a graph and returns its residual stream, as Ref.Hidden numbers
// it, as far as the run came.
func (s *session) residualsOf(t run.Tapper, in run.Input) (map[int][]float64, error) {
	stages, found := s.residuals(), map[int][]float64{}
	_, _, err := t.Tap(s.ctx, in, nil, slices.Sorted(maps.Keys(stages)), func(name string, a *interp.Array) error {
		found[stages[name]] = a.F
		return nil
	})
	return found, err
}

// residuals maps values of the graph to the hidden states they should be: what
// goes into each layer, and what comes out of the final norm. One that is not
// found by its name is left out.
func (s *session) residuals() map[string]int {
	out := map[string]int{}
	nodes := s.info.Model.GetGraph().GetNode()
	values, _ := run.Streams(s.model, nodes)
	last := len(s.model.Blocks)
	for i, v := range values[:last] { // the last one has passed the final norm
		if v != "" {
			out[v] = i
		}
	}
	final := names.Node(names.Outside(family.AtFinalNorm), names.NormOp(&s.model.FinalNorm))
	for _, n := range nodes {
		if n.GetName() == final && len(n.GetOutput()) > 0 {
			out[n.GetOutput()[0]] = last
		}
	}
	return out
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
