package bisect

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// section is a part of the graph between two residual streams.
type section struct {
	name  string
	layer int // −1 the embedding, the number of layers the head
	// from is the stream that goes in, "" before the embedding; to are the values
	// it hands on, the stream first, then what it caches.
	from string
	// beside is what goes in beside the stream, and joins it: the mixture of the layer
	// before; "" in most.
	beside string
	to     []string
}

// enters tells what goes into a section.
func (s section) enters(value string) bool {
	return value == s.from || value == s.beside && value != ""
}

// stagesOf divides a graph where the residual stream goes from layer to layer, and with
// it what joins it a layer later.
// missing is the node that is not found by its name: the graph is one stage then.
func stagesOf(p *run.Plan, m *family.Model) (list []section, missing string) {
	stream, missing := run.Streams(m, p.Written.Nodes)
	layers := len(m.Blocks)
	presents := make([][]string, layers)
	logits := ""
	var all []string
	for _, out := range p.Model.GetGraph().GetOutput() {
		name := out.GetName()
		all = append(all, name)
		if layer, kind, ok := names.CacheOf(name); ok && name == names.Present(layer, kind) && layer < layers {
			presents[layer] = append(presents[layer], name)
		} else if logits == "" {
			logits = name
		}
	}
	for i, v := range stream {
		if missing == "" && p.Inputs[v] {
			missing = fmt.Sprintf("that hands layer %d the residual stream", i)
		}
	}
	joins := map[int]string{}
	for i := range layers {
		if m.Blocks[i].Shortcut == nil {
			continue
		}
		name := names.Node(names.Layer(i+1, names.Shortcut), "Add")
		k := slices.IndexFunc(p.Written.Nodes, func(n *onnxpb.NodeProto) bool { return n.GetName() == name && len(n.GetInput()) == 2 })
		if k >= 0 {
			joins[i] = p.Written.Nodes[k].GetInput()[1]
		} else if missing == "" {
			missing = name
		}
	}
	if missing != "" {
		return []section{{name: "graph", to: all}}, missing
	}
	list = []section{{name: "embedding", layer: -1, to: []string{stream[0]}}}
	for i := range layers {
		one := section{name: fmt.Sprintf("layer %d", i), layer: i, from: stream[i], to: append([]string{stream[i+1]}, presents[i]...)}
		if i > 0 {
			one.beside = joins[i-1]
		}
		if joins[i] != "" {
			one.to = append(one.to, joins[i])
		}
		list = append(list, one)
	}
	return append(list, section{name: "head", layer: layers, from: stream[layers], to: []string{logits}}), ""
}

// nodesOf lists the nodes that a stage's outputs need beyond what goes in, and
// are not of weights alone, in the graph's order. Masks and tables that layers
// share belong to each of them.
func nodesOf(p *run.Plan, st section) []int {
	need := map[int]bool{}
	var visit func(value string)
	visit = func(value string) {
		i, ok := p.Maker[value]
		if !ok || st.enters(value) || p.Fixed[value] || need[i] {
			return
		}
		need[i] = true
		for _, in := range p.Nodes[i].GetInput() {
			visit(in)
		}
	}
	for _, v := range st.to {
		visit(v)
	}
	var list []int
	for i := range p.Nodes {
		if need[i] {
			list = append(list, i)
		}
	}
	return list
}
