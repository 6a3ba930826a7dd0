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
		if i := stages[name]; i > 0 && i < len(m.Blocks) && m.Blocks[i-1].HiddenScale != 0 {
			found[i] = slices.Clone(a.F)
			for j := range found[i] {
				found[i][j] *= m.Blocks[i-1].HiddenScale
			}
		}
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
	norms := map[string]int{names.Node(names.Outside(family.AtFinalNorm), names.NormOp(&m.FinalNorm)): last}
	for i, v := range values[:last] { // the last one has passed the final norm
		switch n := m.Blocks[i].AttnNorm; {
		case m.NormedHidden:
			norms[names.Node(names.Layer(i, family.AtAttnNorm), names.NormOp(n))] = i
		case v != "":
			out[v] = i
		}
	}
	for _, n := range nodes {
		if i, ok := norms[n.GetName()]; ok && len(n.GetOutput()) > 0 {
			out[n.GetOutput()[0]] = i
		}
	}
	return out
}
