package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// beside emits residual + the norm of y, what a feed-forward made, + what a mixture
// beside it makes of the stream x.
func (e *emitter) beside(at func(place string) string, m *family.SideExperts, y, x, residual *graph.Value) *graph.Value {
	y = e.norm(at(family.AtFeedNorm), y, &m.FeedNorm)
	own := e.experts(at, m.Experts, e.norm(at(family.AtExpertsNorm), x, &m.InNorm), x, nil)
	y = e.g.Op("Add", names.Node(at(names.BothFeeds), "Add"), []*graph.Value{y, e.norm(at(family.AtExpertsOut), own, &m.OutNorm)})
	if residual == nil {
		return y
	}
	return e.g.Op("Add", names.Node(at(names.Output), "Add"), []*graph.Value{residual, y})
}
