package bisect

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/run"
)

// extract is the part of a graph around a fault, with what goes into it and what
// should come out.
type extract struct {
	model            *onnxpb.ModelProto
	inputs, expected map[string]*interp.Array
	about            reproManifest
}

// extract cuts the nodes found out of the graph: first, and those before it that
// could not be told good from bad. What goes in is what the oracle says, so that
// the fault is in the part alone; where it says nothing, it is what the graph has.
func (w *walk) extract(ctx context.Context, in run.Input, caches both, st section, first int, nodes []int) (*extract, error) {
	w.s.step("extract %s", w.plan.Nodes[first].GetName())
	part := w.closed(append(slices.Clone(nodes), first))
	enter, weights := w.boundary(part)
	var leave, ask []string
	for _, v := range run.Outputs(w.plan.Nodes[first]) {
		if w.oracle.has(in, caches.oracle, v, st.layer) {
			leave = append(leave, v)
		}
	}
	w.layer = map[string]int{}
	for _, v := range append(slices.Clone(enter), leave...) {
		w.layer[v] = st.layer
		if st.enters(v) && st.layer >= 0 {
			w.layer[v] = st.layer - 1
		}
		if !w.plan.Inputs[v] {
			ask = append(ask, v)
		}
	}
	got, want, err := w.values(ctx, in, caches, ask)
	if err != nil {
		return nil, err
	}
	x := &extract{inputs: map[string]*interp.Array{}, expected: map[string]*interp.Array{}}
	feeds := w.feeds(in, caches)
	for _, v := range enter {
		a := feeds[v]
		if a == nil {
			a = rightOf(got[v], want[v])
		}
		if a == nil {
			return nil, fmt.Errorf("%w: extract: the value %q cannot be shown", errWalk, v)
		}
		x.inputs[v] = a
	}
	for _, v := range leave {
		if got[v] != nil {
			x.expected[v] = rightOf(got[v], want[v])
		}
	}
	if x.model, err = w.cut(part, enter, leave, weights, x); err != nil {
		return nil, err
	}
	return x, nil
}

// boundary lists the values that go into a part of the graph, and the weights in
// it.
func (w *walk) boundary(part []int) (enter []string, weights map[string]bool) {
	made := map[string]bool{}
	for _, i := range part {
		for _, v := range run.Outputs(w.plan.Nodes[i]) {
			made[v] = true
		}
	}
	weights = map[string]bool{}
	for _, i := range part {
		for _, v := range w.plan.Nodes[i].GetInput() {
			switch {
			case v == "" || made[v] || slices.Contains(enter, v):
			case w.plan.Weights[v] != nil:
				weights[v] = true
			default:
				enter = append(enter, v)
			}
		}
	}
	return enter, weights
}

// closed adds the nodes that make weights for the given ones, in order.
func (w *walk) closed(nodes []int) []int {
	have := map[int]bool{}
	var visit func(i int)
	visit = func(i int) {
		if have[i] {
			return
		}
		have[i] = true
		for _, v := range w.plan.Nodes[i].GetInput() {
			if k, ok := w.plan.Maker[v]; ok && w.plan.Fixed[v] {
				visit(k)
			}
		}
	}
	for _, i := range nodes {
		visit(i)
	}
	var list []int
	for i := range w.plan.Nodes {
		if have[i] {
			list = append(list, i)
		}
	}
	return list
}

// values are what the graph has and what the oracle says of named values.
func (w *walk) values(ctx context.Context, in run.Input, caches both, names []string) (map[string]*interp.Array, map[string]*wanted, error) {
	got := map[string]*interp.Array{}
	_, _, err := w.runner.Tap(ctx, in, caches.graph, names, func(name string, a *interp.Array) error {
		got[name] = a
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	want := map[string]*wanted{}
	for left := names; ; {
		part, _, _, err := w.oracle.collect(ctx, in, caches.oracle, left, func(v string) int { return w.layer[v] }, w.s.maxMem, true)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errWalk, err)
		}
		for n, v := range part {
			want[n] = v
		}
		left = slices.DeleteFunc(slices.Clone(left), func(n string) bool { return want[n] != nil })
		if len(part) == 0 || len(left) == 0 {
			return got, want, nil
		}
	}
}

// feeds are the graph's inputs of a call.
func (w *walk) feeds(in run.Input, caches both) map[string]*interp.Array {
	ints := func(rows [][]int64) *interp.Array {
		a := run.Flatten(rows)
		return interp.Ints(a.Data, run.Dims(a.Shape)...)
	}
	out := map[string]*interp.Array{"input_ids": ints(in.IDs), "attention_mask": ints(in.Mask)}
	if w.s.info.Positions {
		out[names.PositionIDs] = ints(in.Positions)
	}
	for name, a := range w.s.info.EmptyCaches(len(in.IDs)) {
		out[name] = a
	}
	if caches.graph == nil {
		return out
	}
	past, _, err := run.Caches(w.runner, caches.graph)
	for _, c := range w.s.info.Caches {
		if delete(out, c.Past); err == nil && past[c.Present] != nil {
			out[c.Past] = past[c.Present]
		}
	}
	return out
}

// rightOf is a value as it should be: as wanted, and as the graph has it where
// that does not matter (padding) or is not known. Of another shape than it should
// be nothing of the graph's is of use.
func rightOf(got *interp.Array, want *wanted) *interp.Array {
	if got == nil || want == nil || want.len() != got.Len() && want.shape == nil {
		return got
	}
	if want.len() != got.Len() {
		return &interp.Array{Kind: got.Kind, Shape: slices.Clone(want.shape), F: want.f, I: want.i, B: want.b}
	}
	a := *got
	keep := func(k int) bool { return want.keep == nil || want.keep(k) }
	switch {
	case want.f != nil && a.Kind == interp.Float:
		a.F = merged(got.F, want.f, keep)
	case want.i != nil && a.Kind == interp.Int:
		a.I = merged(got.I, want.i, keep)
	case want.b != nil && a.Kind == interp.Bool:
		a.B = merged(got.B, want.b, keep)
	}
	return &a
}

func merged[T any](got, want []T, keep func(int) bool) []T {
	out := slices.Clone(got)
	for k, x := range want {
		if keep(k) {
			out[k] = x
		}
	}
	return out
}

// cut makes a graph of nodes of its own, weights embedded.
func (w *walk) cut(part []int, enter, leave []string, weights map[string]bool, x *extract) (*onnxpb.ModelProto, error) {
	from := w.plan.Model
	g := &onnxpb.GraphProto{Name: "repro"}
	called := map[string]bool{}
	for _, i := range part {
		g.Node = append(g.Node, w.plan.Nodes[i])
		called[w.plan.Nodes[i].GetDomain()] = true
	}
	for _, v := range enter {
		info := w.declared(v, x.inputs[v])
		if t := info.GetType().GetTensorType(); t.GetElemType() == int32(onnxpb.TensorProto_INT32) {
			// A repro's inputs are of the types that every runner takes.
			wide := v + "/int64"
			info.Name, t.ElemType = wide, int32(onnxpb.TensorProto_INT64)
			g.Node = append([]*onnxpb.NodeProto{{Name: "/repro" + v + "/Cast", OpType: "Cast", Input: []string{wide}, Output: []string{v},
				Attribute: []*onnxpb.AttributeProto{{Name: "to", Type: onnxpb.AttributeProto_INT, I: int64(onnxpb.TensorProto_INT32)}}}}, g.Node...)
			x.inputs[wide] = x.inputs[v]
			delete(x.inputs, v)
		}
		g.Input = append(g.Input, info)
	}
	for _, v := range leave {
		if x.expected[v] != nil {
			g.Output = append(g.Output, w.declared(v, x.expected[v]))
		}
	}
	for _, t := range from.GetGraph().GetInitializer() {
		if !weights[t.GetName()] {
			continue
		}
		one, err := embedded(w.s.info.Dir(), t)
		if err != nil {
			return nil, fmt.Errorf("%w: extract: %w", errWalk, err)
		}
		g.Initializer = append(g.Initializer, one)
	}
	m := &onnxpb.ModelProto{IrVersion: from.IrVersion, OpsetImport: from.OpsetImport, ProducerName: from.ProducerName, ProducerVersion: from.ProducerVersion, Graph: g}
	for _, f := range from.GetFunctions() {
		if called[f.GetDomain()] {
			m.Functions = append(m.Functions, f)
		}
	}
	return m, nil
}

// declared is a value of the graph as an input or output, with the shape it has.
func (w *walk) declared(name string, a *interp.Array) *onnxpb.ValueInfoProto {
	elem := map[interp.Kind]onnxpb.TensorProto_DataType{interp.Float: onnxpb.TensorProto_FLOAT, interp.Int: onnxpb.TensorProto_INT64, interp.Bool: onnxpb.TensorProto_BOOL}[a.Kind]
	if t := w.plan.Types[name]; t != nil {
		elem = onnxpb.TensorProto_DataType(t.GetType().GetTensorType().GetElemType())
	}
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range a.Shape {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(elem), Shape: shape}}}}
}

// embedded is an initialiser with its data inside.
func embedded(dir string, t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
	location, offset, length := run.External(t)
	if location == "" {
		return t, nil
	}
	f, err := os.Open(filepath.Join(dir, location))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := proto.Clone(t).(*onnxpb.TensorProto)
	out.ExternalData, out.DataLocation = nil, onnxpb.TensorProto_DEFAULT
	out.RawData = make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, length), out.RawData); err != nil {
		return nil, fmt.Errorf("%s: bytes %d to %d: %w", location, offset, offset+length, err)
	}
	return out, nil
}
