package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// plan is a graph as the bisection reads it: who makes each value, and which
// values are made of weights and constants alone.
type plan struct {
	model   *onnxpb.ModelProto
	nodes   []*onnxpb.NodeProto
	maker   map[string]int // value → index of its node
	weights map[string]*onnxpb.TensorProto
	inputs  map[string]bool
	fixed   map[string]bool // weights, and what nodes make of them alone
	types   map[string]*onnxpb.ValueInfoProto
}

func newPlan(m *onnxpb.ModelProto) *plan {
	g := m.GetGraph()
	p := &plan{model: m, nodes: g.GetNode(), maker: map[string]int{}, weights: map[string]*onnxpb.TensorProto{},
		inputs: map[string]bool{}, fixed: map[string]bool{}, types: map[string]*onnxpb.ValueInfoProto{}}
	for _, t := range g.GetInitializer() {
		p.weights[t.GetName()], p.fixed[t.GetName()] = t, true
	}
	for _, in := range g.GetInput() {
		if p.weights[in.GetName()] == nil {
			p.inputs[in.GetName()] = true
		}
	}
	for _, list := range [][]*onnxpb.ValueInfoProto{g.GetValueInfo(), g.GetOutput(), g.GetInput()} {
		for _, v := range list {
			p.types[v.GetName()] = v
		}
	}
	for i, n := range p.nodes {
		fixed := true
		for _, in := range n.GetInput() {
			fixed = fixed && (in == "" || p.fixed[in])
		}
		for _, out := range n.GetOutput() {
			if out != "" {
				p.maker[out], p.fixed[out] = i, fixed
			}
		}
	}
	return p
}

// section is a part of the graph between two residual streams.
type section struct {
	name  string
	layer int // −1 the embedding, the number of layers the head
	// from is the stream that goes in, "" before the embedding; to are the values
	// it hands on, the stream first, then what it caches.
	from string
	to   []string
}

// stages divides a graph where its layers' first norms read the residual
// stream. A graph whose nodes are not named so is one stage.
func (p *plan) stages(layers int) []section {
	stream := make([]string, layers+1)
	presents := make([][]string, layers)
	logits := ""
	for _, n := range p.nodes {
		layer := 0
		name := n.GetName()
		_, err := fmt.Sscanf(name, "/layers.%d/attn_norm/", &layer)
		switch {
		case len(n.GetInput()) == 0 || !strings.Contains(n.GetOpType(), "Normalization"):
		case err == nil && layer < layers:
			stream[layer] = n.GetInput()[0]
		case strings.HasPrefix(name, "/final_norm/"):
			stream[layers] = n.GetInput()[0]
		}
	}
	var all []string
	for _, out := range p.model.GetGraph().GetOutput() {
		name, layer := out.GetName(), 0
		all = append(all, name)
		if _, err := fmt.Sscanf(name, "present.%d.", &layer); err == nil && layer < layers {
			presents[layer] = append(presents[layer], name)
		} else if logits == "" {
			logits = name
		}
	}
	for _, v := range stream {
		if v == "" || p.inputs[v] {
			return []section{{name: "graph", to: all}}
		}
	}
	list := []section{{name: "embedding", layer: -1, to: []string{stream[0]}}}
	for i := range layers {
		list = append(list, section{name: fmt.Sprintf("layer %d", i), layer: i, from: stream[i], to: append([]string{stream[i+1]}, presents[i]...)})
	}
	return append(list, section{name: "head", layer: layers, from: stream[layers], to: []string{logits}})
}

// inside lists the nodes that a stage's outputs need beyond what goes in, and
// are not of weights alone, in the graph's order. Masks and tables that layers
// share belong to each of them.
func (p *plan) inside(st section) []int {
	need := map[int]bool{}
	var visit func(value string)
	visit = func(value string) {
		i, ok := p.maker[value]
		if !ok || value == st.from || p.fixed[value] || need[i] {
			return
		}
		need[i] = true
		for _, in := range p.nodes[i].GetInput() {
			visit(in)
		}
	}
	for _, v := range st.to {
		visit(v)
	}
	var list []int
	for i := range p.nodes {
		if need[i] {
			list = append(list, i)
		}
	}
	return list
}

// outputs are the named outputs of a node.
func outputs(n *onnxpb.NodeProto) []string {
	var list []string
	for _, v := range n.GetOutput() {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}

// opOf spells a node's operator with its domain.
func opOf(n *onnxpb.NodeProto) string {
	if d := n.GetDomain(); d != "" && d != "ai.onnx" {
		return d + "." + n.GetOpType()
	}
	return n.GetOpType()
}
