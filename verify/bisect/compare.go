package bisect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// measured is what the walk keeps of a value that it compared.
type measured struct {
	off   float64
	worst string
}

// compareValues measures the named values, a group at a time as memory allows.
// With only unset it also returns what the oracle and the graph answer. seen,
// where not nil, is shown each value beside what it should be, and stop ends the
// work after a group.
func (w *walk) compareValues(ctx context.Context, in run.Input, caches both, names []string, only bool,
	seen func(name string, got *interp.Array, want *wanted), stop func(map[string]measured) bool) (map[string]measured, *report.Logits, both, error) {
	result := map[string]measured{}
	var logits *report.Logits
	var after both
	left := names
	for first := true; first || len(left) > 0; first = false {
		want, _, oracleAfter, err := w.oracle.collect(ctx, in, caches.oracle, left, func(v string) int { return w.layer[v] }, w.s.maxMem, only || !first)
		if err != nil {
			return nil, nil, after, fmt.Errorf("%w: %w", errWalk, err)
		}
		var group, rest []string
		for _, n := range left {
			if want[n] != nil {
				group = append(group, n)
			} else {
				rest = append(rest, n)
			}
		}
		got, graphAfter, err := w.runner.Tap(ctx, in, caches.graph, group, func(name string, a *interp.Array) error {
			off, worst := want[name].off(a)
			result[name] = measured{off, worst}
			if seen != nil {
				seen(name, a, want[name])
			}
			delete(want, name)
			return nil
		})
		if err != nil {
			return result, nil, after, err
		}
		if first {
			logits, after = got, both{oracleAfter, graphAfter}
		}
		if len(group) == 0 || stop != nil && stop(result) {
			break
		}
		left = rest
	}
	return result, logits, after, nil
}

// layers compares what the stages hand on and returns the first bad one, −1
// where none is.
func (w *walk) layers(ctx context.Context, in run.Input, caches both) (*report.Logits, both, int, error) {
	w.s.step("%s: %s, call %d: layer by layer against %s", w.runner.Name(), w.check, w.call, w.oracle.name())
	w.layer = map[string]int{}
	var names []string
	for _, st := range w.stages {
		for _, v := range st.to {
			w.layer[v] = st.layer
			if w.oracle.has(in, caches.oracle, v, st.layer) && !w.digits(v, st.layer) {
				names = append(names, v)
			}
		}
	}
	bad := func(m map[string]measured) int {
		return slices.IndexFunc(w.stages, func(st section) bool {
			return slices.ContainsFunc(st.to, func(v string) bool {
				x, ok := m[v]
				return ok && !(x.off <= w.limit)
			})
		})
	}
	found, logits, after, err := w.compareValues(ctx, in, caches, names, false, nil, func(m map[string]measured) bool { return bad(m) >= 0 })
	if err != nil {
		return nil, both{}, -1, err
	}
	first := bad(found)
	w.streams = map[string]report.Number{}
	for v, x := range found {
		w.streams[v] = report.Number(x.off)
	}
	for i, st := range w.stages {
		row := report.StageError{Runner: w.runner.Name(), Stage: st.name, Call: w.call, Limit: report.Number(w.limit)}
		any := false
		for _, v := range st.to {
			if x, ok := found[v]; ok && (!any || x.off > float64(row.MaxRel)) {
				row.MaxRel, row.Value, any = report.Number(x.off), v, true
			}
		}
		if any {
			w.keep(row)
		}
		if i == first { // earlier calls went on from here
			w.found.Stages = w.found.Stages[:min(i+1, len(w.found.Stages))]
			break
		}
	}
	return logits, after, first, nil
}

// digits tells a cache of keys with coordinates of a bias before them. Those are
// numbers in parts, of which only the sum is the same in another precision.
func (w *walk) digits(value string, layer int) bool {
	return w.oracle.ofGraph() && layer >= 0 && value == names.Present(layer, names.Key) && (&expecter{s: w.s}).wide(layer)
}

// keep records a stage's error, the largest of its calls; that of the call where
// the budget is left stands for itself.
func (w *walk) keep(row report.StageError) {
	for i, old := range w.found.Stages {
		if old.Stage == row.Stage {
			if row.MaxRel > old.MaxRel {
				w.found.Stages[i] = row
			}
			return
		}
	}
	w.found.Stages = append(w.found.Stages, row)
}

// nodes finds the first node of a stage whose output leaves the budget.
func (w *walk) nodes(ctx context.Context, in run.Input, caches both, st section) error {
	w.s.step("%s: %s, call %d: the nodes of %s", w.runner.Name(), w.check, w.call, st.name)
	inside := nodesOf(w.plan, st)
	w.layer = map[string]int{}
	var names []string
	for _, i := range inside {
		for _, v := range run.Outputs(w.plan.Nodes[i]) {
			w.layer[v] = st.layer
			if w.oracle.has(in, caches.oracle, v, st.layer) {
				names = append(names, v)
			}
		}
	}
	found, _, _, err := w.compareValues(ctx, in, caches, names, true, nil, nil)
	if err != nil {
		return err
	}
	w.found.Nodes = len(inside)
	for _, i := range inside {
		if slices.ContainsFunc(run.Outputs(w.plan.Nodes[i]), func(v string) bool { _, ok := found[v]; return ok }) {
			w.found.Compared++
		}
	}
	first, exact, err := w.culprit(ctx, in, caches, inside, found)
	if err != nil || first < 0 {
		return err
	}
	w.found.Magnified = exact
	nodes := w.name(first, st, found)
	if w.s.extract == "" || exact { // what is right by itself reproduces nothing
		return nil
	}
	if w.part, err = w.extract(ctx, in, caches, st, first, nodes); err != nil {
		return err
	}
	w.part.about = w.about()
	return nil
}

// about says what an extract is of.
func (w *walk) about() reproManifest {
	b := w.found
	m := reproManifest{Schema: 1, Model: w.s.name, Check: b.Check, Runner: b.Runner, Call: b.Call, Against: b.Against, Stage: b.Stage,
		Node: b.Node.Name, Op: b.Node.Op, Between: b.Between, Tokens: w.tokens, Float64: report.Number(report.Float64.Limit()), Float32: report.Number(valueLimit(report.Float32))}
	if run.InFloat64(w.runner) {
		m.Float64 = b.Limit
	} else {
		m.Float32 = b.Limit
	}
	return m
}

// name writes down the node found: what goes in and comes out, the tensors behind
// it, and what lies before it that could not be compared, which it returns.
func (w *walk) name(first int, st section, found map[string]measured) []int {
	n := w.plan.Nodes[first]
	if one := w.plan.Written.Groups[n.GetName()]; one != nil && !w.oracle.ofGraph() {
		n = one // what its last node computes is the operator's
	}
	f := &report.NodeFinding{Name: n.GetName(), Op: run.OpName(n), Attributes: w.s.attributesOf(n, st.layer)}
	for i, v := range n.GetInput() {
		if v != "" {
			in := w.input(n, i, v, st, found)
			if should := w.s.wired(n, i, st.layer); should != "" && should != v {
				in.Worst = strings.TrimPrefix(in.Worst+"; expected "+should+" here", "; ")
				f.Wiring = append(f.Wiring, fmt.Sprintf("input %d is %s: expected %s", i, v, should))
			}
			f.Inputs = append(f.Inputs, in)
		}
	}
	f.Wiring = append(f.Wiring, w.s.lacking(n)...)
	for _, v := range run.Outputs(n) {
		f.Outputs = append(f.Outputs, w.value(v, found))
	}
	w.found.Node = f
	return w.between(first, st, found)
}

func (w *walk) value(v string, found map[string]measured) report.ValueFinding {
	out := report.ValueFinding{Name: v, Kind: "value", State: report.StateNone}
	if x, ok := found[v]; ok {
		out.State, out.MaxRel = report.StateGood, report.Number(x.off)
		if !(x.off <= w.limit) {
			out.State, out.Worst = report.StateBad, x.worst
		}
	}
	return out
}

// input is what is known of a node's input.
func (w *walk) input(n node, i int, v string, st section, found map[string]measured) report.ValueFinding {
	switch {
	case w.plan.Inputs[v]:
		return report.ValueFinding{Name: v, Kind: "input", State: report.StateGood}
	case w.plan.Fixed[v]:
		t := w.tensor(n, i, v, st.layer)
		w.found.Tensors = append(w.found.Tensors, t...)
		out := report.ValueFinding{Name: v, Kind: "constant", State: report.StateNone}
		for _, one := range t {
			if one.File != run.GraphFile {
				out.Kind = "weight"
			}
			switch {
			case one.State == report.StateBad:
				out.State, out.Worst = report.StateBad, one.Note
			case one.State == report.StateGood && out.State == report.StateNone:
				out.State = report.StateGood
			}
			out.MaxRel = max(out.MaxRel, one.MaxRel)
		}
		return out
	case st.enters(v):
		return report.ValueFinding{Name: v, Kind: "value", State: report.StateGood, MaxRel: w.streams[v]}
	}
	return w.value(v, found)
}

// between lists the nodes before the one found that were not compared, back to
// values that are good.
func (w *walk) between(first int, st section, found map[string]measured) []int {
	var list []int
	done, good := map[string]bool{}, map[string]bool{}
	var visit func(i int)
	visit = func(i int) {
		n := w.plan.Nodes[i]
		for k, v := range n.GetInput() {
			maker, made := w.plan.Maker[v]
			if !made || done[v] || w.plan.Fixed[v] || st.enters(v) || k > 0 && i != first && shapes(n) {
				continue
			}
			done[v] = true
			if _, compared := found[v]; compared {
				good[v] = true
				continue
			}
			if k > 0 && shapes(n) && found[run.Outputs(n)[0]].worst != "" && !wrongShape(found[run.Outputs(n)[0]]) {
				continue // what is wrong is not the shape
			}
			if !slices.Contains(list, maker) {
				list = append(list, maker)
			}
			visit(maker)
		}
	}
	visit(first)
	slices.Sort(list)
	name := w.plan.Nodes[first].GetName()
	for _, i := range list {
		if w.plan.Written.Steps[w.plan.Nodes[i].GetName()] == name {
			continue // a step of the operator found
		}
		w.found.Between = append(w.found.Between, fmt.Sprintf("%s (%s)", w.plan.Nodes[i].GetName(), run.OpName(w.plan.Nodes[i])))
	}
	if len(w.found.Between) > 0 {
		w.found.Good = slices.Sorted(maps.Keys(good))
	}
	return list
}
