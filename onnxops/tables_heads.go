package onnxops

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
)

// headTurning is a layer's part of the tables of spectra per head, whose rows are taken
// once in a call and then cut into all layers' parts.
func (e *emitter) headTurning(a *family.Attention) turning {
	for _, t := range e.headTables {
		if i := t.Index(a); i >= 0 {
			if e.headTurns[t] == nil {
				e.headTurns[t] = e.emitHeadTables(t)
			}
			return e.headTurns[t][i]
		}
	}
	panic("onnxops: a layer's spectra are in no table")
}

// emitHeadTables emits the turnings of a table's layers.
func (e *emitter) emitHeadTables(t *headtables.Table) []turning {
	g, at := e.g, func(path, op string) string { return names.Node(t.Name+path, op) }
	far, near := e.farAndNear(t.Step)
	layers, groups, planes := len(t.Layers), int64(t.Groups), int64(t.Planes)
	values := t.Values()
	rows := func(path string, index *graph.Value) *graph.Value {
		n := len(values[path]) / t.Columns()
		v := g.Tensor(t.Name+path, graph.Double, []int64{int64(n), groups, int64(layers) * planes}, doubleBytes(values[path]))
		return g.Op("Gather", at(path, "Gather"), []*graph.Value{v, index})
	}
	product := func(name string, a, b *graph.Value) *graph.Value {
		return g.Op("Mul", at(name, "Mul"), []*graph.Value{a, b})
	}
	farCos, farSin := rows(names.FarCos, far), rows(names.FarSin, far)
	nearCos, nearSin := rows(names.NearCos, near), rows(names.NearSin, near)
	cos := g.Op("Sub", at(names.HeadCos, "Sub"), []*graph.Value{product(names.CosCos, farCos, nearCos), product(names.SinSin, farSin, nearSin)})
	sin := g.Op("Add", at(names.HeadSin, "Add"), []*graph.Value{product(names.SinCos, farSin, nearCos), product(names.CosSin, farCos, nearSin)})
	v := g.Op("Concat", at(names.HeadBoth, "Concat"), []*graph.Value{cos, sin}, graph.IntAttr("axis", 3))
	v = g.Op("Cast", at(names.HeadBoth, "Cast"), []*graph.Value{v}, graph.IntAttr("to", int(graph.Float)))
	v = g.Op("Transpose", at(names.HeadBoth, "Transpose"), []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
	v = e.foldedTable(t.Name+names.HeadBoth, v)
	sizes := e.ints(fmt.Sprintf("planes%dx%d", 2*layers, planes), slices.Repeat([]int64{planes}, 2*layers)...)
	split := graph.Node{Op: "Split", Name: at("", "Split"), In: []*graph.Value{v, sizes}, Attrs: []graph.Attr{graph.IntAttr("axis", 2)}}
	for i := range 2 * layers {
		split.Out = append(split.Out, names.HeadPart(t.Name, i%layers, i >= layers))
	}
	parts := g.Add(split)
	turns := make([]turning, layers)
	for i := range turns {
		turns[i] = turning{parts[i], parts[layers+i], t.Groups}
	}
	return turns
}

// farAndNear are a and b of positions step·a + b.
func (e *emitter) farAndNear(step int) (far, near *graph.Value) {
	by := e.int64Scalar("rotary_step", int64(step))
	far = e.once(names.Far, func() *graph.Value { return e.g.Op("Div", names.Far, []*graph.Value{e.positions, by}) })
	near = e.once(names.Near, func() *graph.Value {
		whole := e.g.Op("Mul", names.FarWhole, []*graph.Value{far, by})
		return e.g.Op("Sub", names.Near, []*graph.Value{e.positions, whole})
	})
	return far, near
}
