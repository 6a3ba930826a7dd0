package verify

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// EveryNode compares every node of every stage, in two calls on a batch with
// padding on the left: how many nodes there are and how many have a counterpart,
// by runner, and those that are bad.
func EveryNode(dir string, opts Options) (nodes, compared map[string]int, bad, without []string, err error) {
	s := &session{ctx: context.Background(), dir: dir, opts: opts, report: &report.Report{}}
	defer s.close()
	s.opts.Bisect, s.opts.MaxMem = true, defaultMaxMem
	for _, step := range []func() error{s.open, s.openInputs, s.openRunners} {
		if err := step(); err != nil {
			return nil, nil, nil, nil, err
		}
	}
	nodes, compared = map[string]int{}, map[string]int{}
	long := s.ids[0][:24]
	in := run.Prompt([][]int64{long, long}, 0)
	for i := range long {
		in.IDs[1] = append([]int64(nil), long...)
		in.Mask[1][i], in.Positions[1][i] = 1, int64(max(i-5, 0))
		if i < 5 {
			in.Mask[1][i] = 0
		}
	}
	for _, r := range s.others {
		if !r.Positions() {
			in = run.Prompt([][]int64{long}, 0)
		}
		s.in = in
		w, err := s.newWalk(failure{"every node", r.(run.Tapper), nil, 0})
		if err != nil {
			return nil, nil, nil, nil, err
		}
		w.begin(w.limits()[0])
		e := &everyNode{w, nodes, compared, nil, nil}
		_, err = run.InChunks(s.ctx, e, in, []int{15, 24})
		if err != nil {
			return nil, nil, nil, nil, err
		}
		bad = append(bad, e.bad...)
		if r.Name() == "interp" {
			without = e.without
		}
	}
	return nodes, compared, bad, without, nil
}

// everyNode is a walk that looks into every stage.
type everyNode struct {
	*walk
	nodes, compared map[string]int
	bad, without    []string
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
		e.bad = append(e.bad, fmt.Sprintf("%s: call %d: %s: %+v", w.runner.Name(), w.call, w.stages[first].name, w.found.Stages))
	}
	for _, st := range w.stages {
		w.found.Node = nil
		w.found.Nodes, w.found.Compared = 0, 0
		if err := w.nodes(ctx, in, caches, st); err != nil {
			return nil, nil, err
		}
		e.nodes[w.runner.Name()] += w.found.Nodes
		e.compared[w.runner.Name()] += w.found.Compared
		if w.call == 1 {
			for _, i := range nodesOf(w.plan, st) {
				known := false
				for _, v := range run.Outputs(w.plan.Nodes[i]) {
					known = known || w.oracle.has(in, caches.oracle, v, st.layer)
				}
				if !known {
					e.without = append(e.without, w.plan.Nodes[i].GetName())
				}
			}
		}
		if n := w.found.Node; n != nil && !w.found.Magnified {
			e.bad = append(e.bad, fmt.Sprintf("%s: call %d: %s: %s: %+v", w.runner.Name(), w.call, st.name, n.Name, n.Outputs))
		}
	}
	return logits, after, nil
}
