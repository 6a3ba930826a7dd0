package run

import (
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/written"
)

// Plan is a graph as the bisection reads it: who makes each value, and which
// values are made of weights and constants alone.
type Plan struct {
	Model   *onnxpb.ModelProto
	Nodes   []*onnxpb.NodeProto
	Written *written.Graph // the nodes with each operator that is written out as one
	Maker   map[string]int // value → index of its node
	Weights map[string]*onnxpb.TensorProto
	Inputs  map[string]bool
	Fixed   map[string]bool // weights, and what nodes make of them alone
	Types   map[string]*onnxpb.ValueInfoProto
}

func NewPlan(m *onnxpb.ModelProto) *Plan {
	g := m.GetGraph()
	p := &Plan{Model: m, Nodes: g.GetNode(), Written: written.Nodes(g), Maker: map[string]int{}, Weights: map[string]*onnxpb.TensorProto{},
		Inputs: map[string]bool{}, Fixed: map[string]bool{}, Types: map[string]*onnxpb.ValueInfoProto{}}
	for _, t := range g.GetInitializer() {
		p.Weights[t.GetName()], p.Fixed[t.GetName()] = t, true
	}
	for _, in := range g.GetInput() {
		if p.Weights[in.GetName()] == nil {
			p.Inputs[in.GetName()] = true
		}
	}
	for _, list := range [][]*onnxpb.ValueInfoProto{g.GetValueInfo(), g.GetOutput(), g.GetInput()} {
		for _, v := range list {
			p.Types[v.GetName()] = v
		}
	}
	for i, n := range p.Nodes {
		fixed := true
		for _, in := range n.GetInput() {
			fixed = fixed && (in == "" || p.Fixed[in])
		}
		for _, out := range n.GetOutput() {
			if out != "" {
				p.Maker[out], p.Fixed[out] = i, fixed
			}
		}
	}
	return p
}

// Outputs are the named outputs of a node.
func Outputs(n *onnxpb.NodeProto) []string {
	var list []string
	for _, v := range n.GetOutput() {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}

// OpName spells a node's operator with its domain.
func OpName(n *onnxpb.NodeProto) string {
	if d := n.GetDomain(); d != "" && d != "ai.onnx" {
		return d + "." + n.GetOpType()
	}
	return n.GetOpType()
}
