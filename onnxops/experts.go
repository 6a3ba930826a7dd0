package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// experts emits residual + a mixture of experts over x, (tokens, hidden). The rows
// are sorted by the expert that they chose and cut into one piece per expert, so
// that the work is that of the experts chosen: an expert that no token chose has a
// piece of no rows. Then the rows go back to their places. The router reads routed.
func (e *emitter) experts(at func(place string) string, m *family.Experts, x, routed, residual *graph.Value) *graph.Value {
	g, k, n := e.g, m.Router.TopK, len(m.Each)+m.Identity
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(at(names.Chosen)+name, op), in)
	}
	summed := func(name string, x *graph.Value, axis int) *graph.Value {
		return g.Op("ReduceSum", names.Node(at(names.Chosen)+name, "ReduceSum"), []*graph.Value{x, e.ints(fmt.Sprintf("axis%d", axis), int64(axis))}, graph.IntAttr("keepdims", 0))
	}
	weights, chosen := e.route(at, &m.Router, routed)
	flat := op("/flat", "Reshape", chosen, e.ints("all", -1))
	all := op("/flat", "Shape", flat)
	order := e.topK(at(names.Chosen)+"/order", flat, all, true)[1]
	rows := op("/rows", "Div", order, e.ints(fmt.Sprintf("each%d", k), int64(k)))
	same := op("/count", "Equal", op("/count", "Unsqueeze", flat, e.ints("axis1", 1)), e.upTo(n))
	counts := summed("/count", g.Op("Cast", names.Node(at(names.Chosen)+"/count", "Cast"), []*graph.Value{same}, graph.IntAttr("to", int(graph.Int64))), 0)
	cut := names.Node(at(names.Chosen)+"/cut", "Split")
	outs := make([]string, n)
	for i := range outs {
		outs[i] = fmt.Sprintf("%s_output_%d", cut, i)
	}
	read := op("/rows", "Gather", x, rows)
	if m.OnInput {
		each := op("/weights", "Gather", op("/weights", "Reshape", weights, e.ints("rows1", -1, 1)), order)
		read = op("/rows", "Mul", read, each)
	}
	pieces := g.Add(graph.Node{Op: "Split", Name: cut, In: []*graph.Value{read, counts}, Out: outs, Attrs: []graph.Attr{graph.IntAttr("axis", 0)}})
	e.eachExpert(at, m, pieces, counts)
	joined := g.Op("Concat", names.Node(at(names.Chosen)+"/join", "Concat"), pieces, graph.IntAttr("axis", 0))
	back := e.topK(at(names.Chosen)+"/back", order, all, true)[1]
	y := op("/back", "Gather", joined, back)
	y = op("/each", "Reshape", y, e.ints(fmt.Sprintf("each%dx%d", k, m.Each[0].Down.Weight.Shape[0]), -1, int64(k), m.Each[0].Down.Weight.Shape[0]))
	if !m.OnInput {
		y = op("/each", "Mul", y, op("/each", "Unsqueeze", weights, e.ints("axis2", 2)))
	}
	y = summed("", y, 1)
	if m.Shared != nil {
		y = op("/shared", "Add", y, e.shared(at, m, x))
	}
	if m.Scale != 0 {
		y = op("/factor", "Mul", y, e.scalar(fmt.Sprintf("mixture_scale_%v", m.Scale), m.Scale))
	}
	if residual == nil {
		return y
	}
	return g.Op("Add", names.Node(at(names.Output), "Add"), []*graph.Value{residual, y})
}

// eachExpert emits every expert over its piece, in the place of it. Where they are alike, what
// lies between gate, up and down is done once for all rows: a node takes microseconds
// whether it has rows or not, and in decoding most experts have none.
func (e *emitter) eachExpert(at func(place string) string, m *family.Experts, pieces []*graph.Value, counts *graph.Value) {
	of := func(i int) func(place string) string {
		return func(place string) string { return at(family.AtExpert(i, place)) }
	}
	if !m.Alike() {
		for i := range m.Each {
			pieces[i] = e.mlp(of(i), &m.Each[i], pieces[i], nil)
		}
		return
	}
	join := func(name string, list []*graph.Value) *graph.Value {
		if list[0] == nil {
			return nil
		}
		return e.g.Op("Concat", names.Node(at(names.Chosen)+name, "Concat"), list, graph.IntAttr("axis", 0))
	}
	gates, ups := make([]*graph.Value, len(m.Each)), make([]*graph.Value, len(m.Each))
	for i := range m.Each {
		gates[i], ups[i] = e.mlpGate(of(i), &m.Each[i], pieces[i]), e.linear(of(i)(family.AtUp), pieces[i], m.Each[i].Up)
	}
	inner := e.inner(func(place string) string { return at(family.AtExperts(place)) }, &m.Each[0], join("/gate", gates), join("/up", ups))
	if m.Identity > 0 {
		counts = e.g.Op("Slice", names.Node(at(names.Chosen)+"/count", "Slice"), []*graph.Value{counts, e.ints("first", 0), e.ints(fmt.Sprintf("end%d", len(m.Each)), int64(len(m.Each)))})
	}
	cut := names.Node(at(names.Chosen)+"/inner", "Split")
	outs := make([]string, len(m.Each))
	for i := range outs {
		outs[i] = fmt.Sprintf("%s_output_%d", cut, i)
	}
	parts := e.g.Add(graph.Node{Op: "Split", Name: cut, In: []*graph.Value{inner, counts}, Out: outs, Attrs: []graph.Attr{graph.IntAttr("axis", 0)}})
	for i := range m.Each {
		pieces[i] = e.linear(of(i)(family.AtDown), parts[i], m.Each[i].Down)
	}
}

// shared emits the expert that every token reads.
func (e *emitter) shared(at func(place string) string, m *family.Experts, x *graph.Value) *graph.Value {
	y := e.mlp(func(place string) string { return at(family.AtShared(place)) }, m.Shared, x, nil)
	if m.SharedGate == nil {
		return y
	}
	gate := e.g.Op("Sigmoid", names.Node(at(family.AtSharedGate), "Sigmoid"), []*graph.Value{e.linear(at(family.AtSharedGate), x, *m.SharedGate)})
	return e.g.Op("Mul", names.Node(at(family.AtSharedGate), "Mul"), []*graph.Value{gate, y})
}

// route emits the weights of the experts that each token chooses and their numbers,
// both (tokens, k).
func (e *emitter) route(at func(place string) string, r *family.Router, x *graph.Value) (weights, chosen *graph.Value) {
	defer e.g.Wide()()
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return e.g.Op(op, names.Node(at(family.AtRouter)+name, op), in)
	}
	x = e.scaled(names.Node(at(family.AtRouterNorm)+"/scaled", "Mul"), e.norm(at(family.AtRouterNorm), x, r.Norm), r.InScale)
	scores := e.linear(at(family.AtRouter), x, r.Linear)
	logits := scores
	switch r.Score {
	case "sparsemixer":
		return e.sparseMixer(at(family.AtRouter), scores, r)
	case "softmax":
		scores = e.g.Op("Softmax", names.Node(at(family.AtRouter), "Softmax"), []*graph.Value{scores}, graph.IntAttr("axis", -1))
	case "sigmoid":
		scores = op("", "Sigmoid", scores)
	default:
		e.g.Fail(unsupported("router's score %q: known are softmax, sigmoid and sparsemixer", r.Score))
	}
	by := scores
	if r.ByLogits {
		by = logits
	}
	if r.Correction != nil {
		by = op("/corrected", "Add", by, e.weights.float32(*r.Correction))
	}
	if r.Groups > 0 {
		by = e.grouped(at(family.AtRouter)+"/groups", by, r)
	}
	chosen = e.topK(at(family.AtRouter), by, e.ints(fmt.Sprintf("each%d", r.TopK), int64(r.TopK)), false)[1]
	weights = e.g.Op("GatherElements", names.Node(at(family.AtRouter), "GatherElements"), []*graph.Value{scores, chosen}, graph.IntAttr("axis", 1))
	if r.Normalise {
		sum := op("/sum", "ReduceSum", weights, e.ints("axis1", 1))
		if r.Eps != 0 {
			sum = op("/sum", "Add", sum, e.scalar(fmt.Sprintf("router_epsilon_%v", r.Eps), r.Eps))
		}
		if r.Floor != 0 {
			sum = op("/sum", "Max", sum, e.scalar(fmt.Sprintf("router_floor_%v", r.Floor), r.Floor))
		}
		weights = op("/normalised", "Div", weights, sum)
	}
	if r.Scale != 1 {
		weights = op("/scaled", "Mul", weights, e.scalar(fmt.Sprintf("router_scale_%v", r.Scale), r.Scale))
	}
	if r.Each != nil {
		weights = op("/each", "Mul", weights, op("/each", "Gather", e.weights.float32(*r.Each), chosen))
	}
	return weights, chosen
}

// sparseMixer emits the sparse mixer's two weights and experts; see [family.Router].
func (e *emitter) sparseMixer(prefix string, z *graph.Value, r *family.Router) (weights, chosen *graph.Value) {
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return e.g.Op(op, names.Node(prefix+name, op), in)
	}
	best := e.topK(prefix, z, e.ints("each2", 2), false)
	halves := func(name string, x *graph.Value) []*graph.Value {
		node := names.Node(prefix+name, "Split")
		return e.g.Add(graph.Node{Op: "Split", Name: node, In: []*graph.Value{x, e.ints("ones2", 1, 1)}, Out: []string{node + "_output_0", node + "_output_1"},
			Attrs: []graph.Attr{graph.IntAttr("axis", 1)}})
	}
	experts, spread, none := halves("/experts", best[1]), e.scalar(fmt.Sprintf("router_spread_%v", 2*r.Jitter), 2*r.Jitter), e.scalar("not_kept", math.Inf(-1))
	size, rest := op("/size", "Abs", z), z
	var list []*graph.Value
	for i, top := range halves("/best", best[0]) {
		at := [...]string{"/first", "/second"}[i]
		far := op(at+"/far", "Greater", op(at+"/far", "Div", op(at+"/far", "Sub", top, z), op(at+"/far", "Max", size, top)), spread)
		near := e.g.Op("Softmax", names.Node(prefix+at, "Softmax"), []*graph.Value{op(at, "Where", far, none, rest)}, graph.IntAttr("axis", -1))
		list = append(list, op(at, "ReduceMax", near, e.ints("axis1", 1)))
		if i > 0 {
			break
		}
		rest = op(at+"/rest", "Where", op(at+"/rest", "Equal", e.upTo(int(r.Linear.Weight.Shape[0])), experts[0]), none, z)
	}
	return e.g.Op("Concat", names.Node(prefix+"/weights", "Concat"), list, graph.IntAttr("axis", 1)), best[1]
}

// grouped emits the scores with −∞ in place of those outside the groups kept.
func (e *emitter) grouped(prefix string, by *graph.Value, r *family.Router) *graph.Value {
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return e.g.Op(op, names.Node(prefix+name, op), in)
	}
	size := r.Linear.Weight.Shape[0] / int64(r.Groups)
	groups := op("", "Reshape", by, e.ints(fmt.Sprintf("groups%dx%d", r.Groups, size), -1, int64(r.Groups), size))
	best := e.topK(prefix+"/best", groups, e.ints(fmt.Sprintf("each%d", r.GroupBest), int64(r.GroupBest)), false)[0]
	sums := e.g.Op("ReduceSum", names.Node(prefix+"/best", "ReduceSum"), []*graph.Value{best, e.ints("axis2", 2)}, graph.IntAttr("keepdims", 0))
	kept := e.topK(prefix+"/kept", sums, e.ints(fmt.Sprintf("each%d", r.KeptGroups), int64(r.KeptGroups)), false)[1]
	same := op("/kept", "Equal", op("/kept", "Unsqueeze", kept, e.ints("axis2", 2)), e.upTo(r.Groups))
	marks := e.g.Op("Cast", names.Node(prefix+"/kept", "Cast"), []*graph.Value{same}, graph.IntAttr("to", int(graph.Int64)))
	marks = e.g.Op("ReduceSum", names.Node(prefix+"/kept", "ReduceSum"), []*graph.Value{marks, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 0))
	inside := op("/kept", "Greater", op("/marks", "Unsqueeze", marks, e.ints("axis2", 2)), e.ints("zero", 0))
	y := op("/kept", "Where", inside, groups, e.scalar("not_kept", math.Inf(-1)))
	return op("/flat", "Reshape", y, e.ints(fmt.Sprintf("rows%d", r.Linear.Weight.Shape[0]), -1, r.Linear.Weight.Shape[0]))
}

// topK emits the k largest along the last axis, or the smallest, and their places.
func (e *emitter) topK(prefix string, x, k *graph.Value, smallest bool) []*graph.Value {
	name := names.Node(prefix, "TopK")
	largest := 1
	if smallest {
		largest = 0
	}
	return e.g.Add(graph.Node{Op: "TopK", Name: name, In: []*graph.Value{x, k}, Out: []string{name + "_output_0", name + "_output_1"},
		Attrs: []graph.Attr{graph.IntAttr("axis", -1), graph.IntAttr("largest", largest), graph.IntAttr("sorted", 1)}})
}

// upTo is the vector of 0 to n − 1.
func (e *emitter) upTo(n int) *graph.Value {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i)
	}
	return e.ints(fmt.Sprintf("upto%d", n), list...)
}
