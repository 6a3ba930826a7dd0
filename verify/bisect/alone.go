package bisect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/run"
)

// maxAlone bounds how many nodes are computed again by themselves.
const maxAlone = 32

// origins are the nodes of a list where errors begin: what goes in is good, what
// comes out is bad.
func (w *walk) origins(inside []int, found map[string]measured) []int {
	bad := func(v string) bool {
		x, ok := found[v]
		return ok && !(x.off <= w.limit)
	}
	var list []int
	for _, i := range inside {
		n := w.plan.Nodes[i]
		if slices.ContainsFunc(run.Outputs(n), bad) && !slices.ContainsFunc(n.GetInput(), bad) {
			list = append(list, i)
		}
	}
	return list
}

// culprit picks the node at fault among a stage's nodes, −1 where none is bad.
// Against ref that is the first. Against the interpreter each node where errors
// begin is computed once more in float64, from the inputs that it had in the
// runtime: a node that rounds or divides may magnify errors that are within the
// budget, and is right by itself. Where all are, the first is picked and exact is
// set.
func (w *walk) culprit(ctx context.Context, in run.Input, caches both, inside []int, found map[string]measured) (first int, exact bool, err error) {
	list := w.origins(inside, found)
	if len(list) == 0 {
		return -1, false, nil
	}
	if !w.oracle.ofGraph() {
		return list[0], false, nil
	}
	for _, i := range list[:min(len(list), maxAlone)] {
		off, err := w.alone(ctx, in, caches, i)
		if errors.Is(err, errWalk) && ctx.Err() == nil { // what it read cannot be shown: it is not cleared
			return i, false, nil
		}
		if err != nil {
			return -1, false, err
		}
		if !(off <= w.limit) {
			return i, false, nil
		}
	}
	return list[0], true, nil
}

// alone computes a node in float64 from what it read in the runtime, and returns
// how far what came out of it there is from that.
func (w *walk) alone(ctx context.Context, in run.Input, caches both, i int) (float64, error) {
	w.s.step("%s: %s by itself", w.runner.Name(), w.plan.Nodes[i].GetName())
	part := w.closed([]int{i})
	enter, weights := w.boundary(part)
	leave := run.Outputs(w.plan.Nodes[i])
	got := map[string]*interp.Array{}
	ask := slices.DeleteFunc(append(slices.Clone(enter), leave...), func(v string) bool { return w.plan.Inputs[v] })
	_, _, err := w.runner.Tap(ctx, in, caches.graph, ask, func(name string, a *interp.Array) error {
		got[name] = a
		return nil
	})
	if err != nil {
		return 0, err
	}
	x := &extract{inputs: map[string]*interp.Array{}, expected: map[string]*interp.Array{}}
	feeds := w.feeds(in, caches)
	for _, v := range enter {
		if x.inputs[v] = feeds[v]; x.inputs[v] == nil {
			x.inputs[v] = got[v]
		}
		if x.inputs[v] == nil {
			return 0, fmt.Errorf("%w: the value %q cannot be shown", errWalk, v)
		}
	}
	for _, v := range leave {
		if got[v] != nil {
			x.expected[v] = got[v]
		}
	}
	model, err := w.cut(part, enter, leave, weights, x)
	if err != nil {
		return 0, err
	}
	p, err := interp.Load(model, w.s.info.Dir())
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errWalk, err)
	}
	out, err := p.RunWith(ctx, x.inputs, interp.Options{})
	if err = errors.Join(err, p.Close()); err != nil {
		return 0, fmt.Errorf("%w: %w", errWalk, err)
	}
	worst := 0.0
	old := len(in.Mask[0]) - len(in.IDs[0])
	for v, a := range x.expected {
		want := &wanted{shape: out[v].Shape, f: out[v].F, i: out[v].I, b: out[v].B, keep: keepOf(in, old, out[v].Shape)}
		off, _ := want.off(a)
		worst = max(worst, off)
	}
	return worst, nil
}
