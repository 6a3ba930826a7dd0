package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/verify/run"
)

// section is a part of the graph between two residual streams.
type section struct {
	name  string
	layer int // −1 the embedding, the number of layers the head
	// from is the stream that goes in, "" before the embedding; to are the values
	// it hands on, the stream first, then what it caches.
	from string
	to   []string
}

// stagesOf divides a graph where its layers' first norms read the residual
// stream. A graph whose nodes are not named so is one stage.
func stagesOf(p *run.Plan, layers int) []section {
	stream := make([]string, layers+1)
	presents := make([][]string, layers)
	logits := ""
	for _, n := range p.Nodes {
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
	for _, out := range p.Model.GetGraph().GetOutput() {
		name, layer := out.GetName(), 0
		all = append(all, name)
		if _, err := fmt.Sscanf(name, "present.%d.", &layer); err == nil && layer < layers {
			presents[layer] = append(presents[layer], name)
		} else if logits == "" {
			logits = name
		}
	}
	for _, v := range stream {
		if v == "" || p.Inputs[v] {
			return []section{{name: "graph", to: all}}
		}
	}
	list := []section{{name: "embedding", layer: -1, to: []string{stream[0]}}}
	for i := range layers {
		list = append(list, section{name: fmt.Sprintf("layer %d", i), layer: i, from: stream[i], to: append([]string{stream[i+1]}, presents[i]...)})
	}
	return append(list, section{name: "head", layer: layers, from: stream[layers], to: []string{logits}})
}

// nodesOf lists the nodes that a stage's outputs need beyond what goes in, and
// are not of weights alone, in the graph's order. Masks and tables that layers
// share belong to each of them.
func nodesOf(p *run.Plan, st section) []int {
	need := map[int]bool{}
	var visit func(value string)
	visit = func(value string) {
		i, ok := p.Maker[value]
		if !ok || value == st.from || p.Fixed[value] || need[i] {
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
