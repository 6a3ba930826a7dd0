package bisect

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// Coverage is how much of a graph a bisection can tell good from bad.
type Coverage struct {
	// Nodes and Compared count the nodes of all stages and those with a
	// counterpart, over all calls.
	Nodes, Compared int
	// Bad are nodes and stages that leave the budget, Without the nodes that have
	// no counterpart.
	Bad, Without []string
}

// Cover runs an input in pieces on one runner of a case and compares every node
// of every stage, whatever it finds: on a right graph Bad is empty. Pieces end at
// the given columns.
func Cover(ctx context.Context, c *Case, r run.Tapper, in run.Input, ends []int) (*Coverage, error) {
	s := newSearch(ctx, c)
	w, err := s.newWalk(Failure{Check: "every node", Runner: r})
	if err != nil {
		return nil, err
	}
	w.begin(w.limits()[0])
	e := &everyNode{walk: w}
	if _, err := run.InChunks(ctx, e, in, ends); err != nil {
		return nil, err
	}
	return &e.Coverage, nil
}

// everyNode is a walk that looks into every stage.
type everyNode struct {
	*walk
	Coverage
}

func (e *everyNode) Run(ctx context.Context, in run.Input, past run.State) (*report.Logits, run.State, error) {
	w := e.walk
	w.call++
	caches, _ := past.(both)
	logits, after, first, err := w.layers(ctx, in, caches)
	if err != nil {
		return nil, nil, err
	}
	if first >= 0 {
		e.Bad = append(e.Bad, fmt.Sprintf("%s: call %d: %s: %+v", w.runner.Name(), w.call, w.stages[first].name, w.found.Stages))
	}
	for _, st := range w.stages {
		w.found.Node = nil
		w.found.Nodes, w.found.Compared = 0, 0
		if err := w.nodes(ctx, in, caches, st); err != nil {
			return nil, nil, err
		}
		e.Nodes += w.found.Nodes
		e.Compared += w.found.Compared
		if w.call == 1 {
			e.without(in, caches, st)
		}
		if n := w.found.Node; n != nil && !w.found.Magnified {
			e.Bad = append(e.Bad, fmt.Sprintf("%s: call %d: %s: %s: %+v", w.runner.Name(), w.call, st.name, n.Name, n.Outputs))
		}
	}
	return logits, after, nil
}

// without notes the nodes of a stage of which the oracle knows no output.
func (e *everyNode) without(in run.Input, caches both, st section) {
	for _, i := range nodesOf(e.plan, st) {
		known := false
		for _, v := range run.Outputs(e.plan.Nodes[i]) {
			known = known || e.oracle.has(in, caches.oracle, v, st.layer)
		}
		if !known {
			e.Without = append(e.Without, e.plan.Nodes[i].GetName())
		}
	}
}
