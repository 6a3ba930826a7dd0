package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// byLayer makes the tokens' embeddings by layer, (batch*sequence, layers, size), of
// the embedding x. Rows are gathered in the stored type, as those of the embedding.
func (e *emitter) byLayer(m *family.Model, x *graph.Value) {
	b := m.ByLayer
	if b == nil {
		return
	}
	g, at := e.g, names.Outside
	each := func(name string, v *graph.Value) *graph.Value {
		return g.Op("Reshape", name, []*graph.Value{v, e.ints("by_layer", -1, int64(len(m.Blocks)), int64(b.Size))})
	}
	ids := g.Op("Reshape", at(family.AtByLayer)+"/ids/Reshape", []*graph.Value{e.ids, e.ints("all", -1)})
	var rows *graph.Value
	if r := e.rounds(b.Embed); r != nil {
		rows = e.roundedRows(names.Node(at(family.AtByLayer), "Gather"), r, ids)
	} else {
		rows = e.rowsOf(names.Node(at(family.AtByLayer), "Gather"), names.Node(at(family.AtByLayer), "Cast"), b.Embed, ids)
	}
	rows = e.scaled(at(family.AtByLayer)+"/scaled/Mul", each(at(family.AtByLayer)+names.Reshape, rows), b.EmbedScale)
	y := e.scaled(at(family.AtByLayerProj)+"/scaled/Mul", e.linear(at(family.AtByLayerProj), x, b.Project), b.ProjectScale)
	y = e.norm(at(family.AtByLayerNorm), each(at(family.AtByLayerProj)+names.Reshape, y), &b.Norm)
	y = g.Op("Add", "/by_layer/Add", []*graph.Value{y, rows})
	e.layerInputs = e.scaled("/by_layer/scaled/Mul", y, b.Scale)
}

// perLayer emits x plus what layer i makes of its own embedding.
func (e *emitter) perLayer(i int, b *family.Block, x *graph.Value) *graph.Value {
	m, g, at := b.PerLayer, e.g, func(place string) string { return names.Layer(i, place) }
	if e.layerInputs == nil {
		g.Fail(fmt.Errorf("layer %d reads an embedding of its own, and the model has none", i))
		return x
	}
	own := g.Op("Gather", names.Node(at("per_layer/embed"), "Gather"), []*graph.Value{e.layerInputs, e.int64Scalar(fmt.Sprint(i), int64(i))}, graph.IntAttr("axis", 1))
	gate := e.activation(at(names.PerLayerAct), &family.MLP{Act: m.Act}, e.linear(at(family.AtPerLayerGate), x, m.Gate))
	y := g.Op("Mul", names.Node(at(names.PerLayer), "Mul"), []*graph.Value{gate, own})
	y = e.norm(at(family.AtPerLayerNorm), e.linear(at(family.AtPerLayerOut), y, m.Out), &m.Norm)
	return g.Op("Add", names.Node(at(names.AfterPerLayer(b)), "Add"), []*graph.Value{x, y})
}
