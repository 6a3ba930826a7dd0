package interp

import (
	"fmt"
	"slices"
	"strings"

	onnx "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"google.golang.org/protobuf/proto"
)

// step is one node of the graph, as onnx-go handed it over. Values are node
// IDs of onnx-go's graph; absent marks an optional one left out.
type step struct {
	name, op, domain string
	opset            int64
	attrs            map[string]any // float32, int64, string, []float32, []int64, []string, *weight, *Program
	in, out          []int64
	kernel           *kernel
	drop             []int64 // values last used here
}

const absent = int64(-1)

// valueNode is a value of the graph. An optional input left out arrives as a
// node whose name is empty.
type valueNode struct {
	graph.Node
	name string
}

func (v *valueNode) SetName(name string) { v.name = name }
func (v *valueNode) GetName() string     { return v.name }

// recorder is the backend that onnx-go decodes into: edges run from an output
// of a node to its inputs, weighted by the input's place. The embedded graph
// joins parallel edges (Mul(x, x)), so the calls themselves are kept in order.
type recorder struct {
	*simple.WeightedDirectedGraph
	twin    *twin
	pending []graph.WeightedEdge // edges of the node being decoded
	steps   []*step
}

var _ onnx.Backend = (*recorder)(nil)

func (r *recorder) NewNode() graph.Node { return &valueNode{Node: r.WeightedDirectedGraph.NewNode()} }

func (r *recorder) SetWeightedEdge(e graph.WeightedEdge) {
	r.pending = append(r.pending, e)
	if e.From().ID() != e.To().ID() {
		r.WeightedDirectedGraph.SetWeightedEdge(e)
	}
}

// ApplyOperation closes the node whose edges were just set.
func (r *recorder) ApplyOperation(o onnx.Operation, outputs ...graph.Node) error {
	s := &step{op: o.Name, attrs: map[string]any{}}
	for name, v := range o.Attributes {
		switch {
		case name == attrNode:
			s.name = v.(string)
		case name == attrDomain:
			s.domain = v.(string)
		case name == attrOpset:
			s.opset = v.(int64)
		case strings.HasPrefix(name, attrTensor):
			s.attrs[strings.TrimPrefix(name, attrTensor)] = r.twin.tensors[v.(string)]
		case strings.HasPrefix(name, attrBody):
			s.attrs[strings.TrimPrefix(name, attrBody)] = r.twin.bodies[v.(string)]
		default:
			s.attrs[name] = v
		}
	}
	for i, out := range outputs {
		in, err := r.inputsOf(out)
		if err != nil {
			return s.wrap(err)
		}
		if i > 0 && !slices.Equal(in, s.in) {
			return s.wrap(fmt.Errorf("onnx-go gave its outputs different inputs"))
		}
		s.in = in
		id := out.ID()
		if strings.HasPrefix(nameOf(out), unusedPrefix) {
			id = absent
		}
		s.out = append(s.out, id)
	}
	r.pending = r.pending[:0]
	if err := s.bind(); err != nil {
		return s.wrap(err)
	}
	r.steps = append(r.steps, s)
	return nil
}

func nameOf(n graph.Node) string { return n.(*valueNode).name }

// inputsOf lists the inputs of the node that computes out, from the recorded
// edges: their weights must count 0, 1, 2, … in the order they were set.
func (r *recorder) inputsOf(out graph.Node) ([]int64, error) {
	var in []int64
	for _, e := range r.pending {
		if e.From().ID() != out.ID() {
			continue
		}
		if e.Weight() != float64(len(in)) {
			return nil, fmt.Errorf("onnx-go set input %v where %d was due", e.Weight(), len(in))
		}
		id := e.To().ID()
		if nameOf(e.To()) == "" {
			id = absent
		}
		in = append(in, id)
	}
	for len(in) > 0 && in[len(in)-1] == absent {
		in = in[:len(in)-1]
	}
	return in, nil
}

func (s *step) wrap(err error) error {
	op := s.op
	if s.domain != "" {
		op = s.domain + "::" + op
	}
	return fmt.Errorf("node %q (%s): %w", s.name, op, err)
}

// decode has onnx-go read the twin's bytes.
func decode(t *twin) (r *recorder, inputs, outputs []int64, err error) {
	raw, err := proto.Marshal(t.model)
	if err != nil {
		return nil, nil, nil, err
	}
	r = &recorder{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0), twin: t}
	defer func() {
		// onnx-go and the graph under it panic on some malformed input.
		if p := recover(); p != nil {
			err = fmt.Errorf("onnx-go cannot decode the graph: %v", p)
		}
	}()
	m := onnx.NewModel(r)
	if err := m.UnmarshalBinary(raw); err != nil {
		return nil, nil, nil, err
	}
	return r, m.Input, m.Output, nil
}
