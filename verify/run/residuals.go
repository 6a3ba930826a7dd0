package run

import (
	"context"
	"maps"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
)

// Residuals runs a graph of a model and returns its residual stream, as Ref.Hidden
// numbers it, as far as the run came.
func Residuals(ctx context.Context, t Tapper, g *GraphInfo, m *family.Model, in Input) (map[int][]float64, error) {
	stages, found := residuals(g, m), map[int][]float64{}
	_, _, err := t.Tap(ctx, in, nil, slices.Sorted(maps.Keys(stages)), func(name string, a *interp.Array) error {
		found[stages[name]] = a.F
		return nil
	})
	return found, err
}

// residuals maps values of the graph to the hidden states they should be: what
// goes into each layer, and what comes out of the final norm. One that is not
// found by its name is left out.
func residuals(g *GraphInfo, m *family.Model) map[string]int {
	out := map[string]int{}
	nodes := g.Written.Nodes
	values, _ := Streams(m, nodes)
	last := len(m.Blocks)
	for i, v := range values[:last] { // the last one has passed the final norm
		if v != "" {
			out[v] = i
		}
	}
	final := names.Node(names.Outside(family.AtFinalNorm), names.NormOp(&m.FinalNorm))
	for _, n := range nodes {
		if n.GetName() == final && len(n.GetOutput()) > 0 {
			out[n.GetOutput()[0]] = last
		}
	}
	return out
}
