package bisect

import (
	"context"
	"errors"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// defaultMaxMem bounds the values that a bisection holds at a time.
const defaultMaxMem = 1 << 30

// Bisect follows the first failed check of a runner in float64, else of another;
// where nothing failed it walks through the prompt on every runner.
func Bisect(ctx context.Context, c *Case) (*report.Bisection, error) {
	if err := c.Model.Beyond(bisected...); err != nil {
		return &report.Bisection{Summary: "the bisection does not know all parts of the model, and would take an innocent node for a bad one: " + err.Error()}, nil
	}
	if len(c.Input.IDs) == 0 {
		return &report.Bisection{Summary: "the reference has no answer to compare with: see the check reference"}, nil
	}
	s := newSearch(ctx, c)
	var result *report.Bisection
	for _, f := range s.toFollow() {
		b, err := s.follow(f)
		if errors.Is(err, errWalk) && s.ctx.Err() == nil { // the checks and their verdict stand
			b, err = &report.Bisection{Check: f.Check, Runner: f.Runner.Name(), Summary: fmt.Sprintf("%s, check %s, cannot be looked into: %v", f.Runner.Name(), f.Check, err)}, nil
		}
		if err != nil {
			return nil, err
		}
		if result != nil && b.Stage == "" {
			result.Stages = append(result.Stages, b.Stages...)
			continue
		}
		if result != nil {
			b.Stages = append(result.Stages, b.Stages...)
		}
		result = b
		if b.Stage != "" {
			break
		}
	}
	if result == nil {
		return &report.Bisection{Summary: "no runner of the graph is left to look into"}, nil
	}
	s.conclude(result)
	if _, missing := stagesOf(run.NewPlan(s.info.Model), s.model); missing != "" {
		result.Summary += fmt.Sprintf("; the graph has no node %s, so it is looked into as one stage, by the values whose names are known: names were changed or stripped after the emission", missing)
	}
	return result, nil
}

// bisected are the parts of a model, beyond llama's, of which it is known what
// values their nodes have.
var bisected = family.Settled()

// toFollow lists what to walk through, the most telling first.
func (s *search) toFollow() []Failure {
	var graph, runtime []Failure
	for _, f := range s.failures {
		if run.InFloat64(f.Runner) {
			graph = append(graph, f)
		} else if len(runtime) == 0 {
			runtime = append(runtime, f)
		}
	}
	if len(graph) > 0 {
		return graph[:1]
	}
	if len(runtime) > 0 {
		return runtime
	}
	var all []Failure
	for _, r := range s.others {
		if t, ok := run.AsTapper(r); ok {
			all = append(all, Failure{report.CheckPrefill, t, run.Prefill(s.ctx, s.in), 0})
		}
	}
	return all
}

// errFound ends a walk that has found what it looked for; errWalk marks one that
// cannot be made, where the graph is not to blame.
var (
	errFound = errors.New("found")
	errWalk  = run.ErrTap
)

// follow makes a check again, looking into the graph as it runs.
func (s *search) follow(f Failure) (*report.Bisection, error) {
	w, err := s.newWalk(f)
	if err != nil {
		return nil, err
	}
	// At the budget first; where a check fails and no value leaves it (small
	// errors add up on the way to the logits), at what rounding alone can do.
	for _, limit := range w.limits() {
		w.begin(limit)
		_, err := f.Ask(w)
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		if errors.Is(err, errWalk) {
			return nil, err
		}
		if err != nil && !errors.Is(err, errFound) {
			w.found.Summary = fmt.Sprintf("the walk ends in an error of %s: %s", f.Runner.Name(), run.Reason(f.Runner.Name(), err))
			w.found.Stage = "a call that fails"
		}
		if w.found.Stage != "" {
			break
		}
	}
	if w.part != nil {
		if err := w.part.write(s.extract, s.force); err != nil {
			return nil, err
		}
		w.found.Extracted = s.extract
	}
	return w.found, nil
}

// walk is a Runner that answers as the graph does, and compares what it
// computes on the way with the oracle's.
type walk struct {
	s      *search
	check  string
	failed bool
	runner run.Tapper
	oracle oracle
	stages []section
	plan   *run.Plan

	given float64 // the failed check's limit
	limit float64
	call  int
	found *report.Bisection
	// layer is the stage's that a value was asked for in.
	layer  map[string]int
	part   *extract // where one is asked for
	tokens int      // of the call
	// streams are the errors of what the sections hand on, in the call under way.
	streams map[string]report.Number
}

// both is a cache as the oracle and the graph have it.
type both struct{ oracle, graph run.State }

func (s *search) newWalk(f Failure) (*walk, error) {
	w := &walk{s: s, check: f.Check, runner: f.Runner, given: f.Limit}
	for _, g := range s.failures {
		w.failed = w.failed || g.Check == f.Check && g.Runner == f.Runner
	}
	w.plan = run.NewPlan(s.info.Model)
	w.stages, _ = stagesOf(w.plan, s.model) // Bisect tells of what is missing
	w.oracle = &refOracle{s: s, plan: w.plan, ref: s.ref.Rounded()}
	if !run.InFloat64(f.Runner) {
		if o := s.graphOracle(); o != nil {
			w.oracle = o
		}
	}
	return w, nil
}

func (w *walk) limits() []float64 {
	budget := valueLimit(w.runner.Arithmetic())
	if !run.InFloat64(w.runner) {
		budget = max(budget, w.given)
	}
	if !w.failed {
		return []float64{budget}
	}
	return []float64{budget, budget / 100}
}

// valueLimit is the budget of a value between: that of logits for float64, and
// for float32 336 u, which is √n·u over the roundings of a forward pass (30
// layers, inner products of a few thousand terms), or the failed check's own
// limit where that is wider.
func valueLimit(a report.Arithmetic) float64 {
	if a == report.Float64 {
		return a.Limit()
	}
	return 336 * a.Roundoff()
}

func (w *walk) begin(limit float64) {
	w.limit, w.call = limit, 0
	w.found = &report.Bisection{Check: w.check, Runner: w.runner.Name(), Against: w.oracle.name(), Limit: report.Number(limit)}
}

func (w *walk) Name() string    { return w.runner.Name() }
func (w *walk) Positions() bool { return w.runner.Positions() }
func (w *walk) Close() error    { return nil }

// Arithmetic is that of the runner.
func (w *walk) Arithmetic() report.Arithmetic { return w.runner.Arithmetic() }

// TakePast makes a state of a past that no runner computed, for both.
func (w *walk) TakePast(p *run.Past) run.State {
	b := both{oracle: w.oracle.takePast(p)}
	if t, ok := w.runner.(run.PastTaker); ok {
		b.graph = t.TakePast(p)
	}
	return b
}

// Run makes one call: what the stages hand on first, then the nodes of the
// first bad one.
func (w *walk) Run(ctx context.Context, in run.Input, past run.State) (*report.Logits, run.State, error) {
	w.call++
	w.found.Call = w.call
	w.tokens = len(in.IDs) * len(in.IDs[0])
	caches, _ := past.(both)
	logits, after, bad, err := w.layers(ctx, in, caches)
	if err != nil {
		return nil, nil, err
	}
	if bad < 0 {
		return logits, after, nil
	}
	w.found.Stage = w.stages[bad].name
	if err := w.nodes(ctx, in, caches, w.stages[bad]); err != nil {
		return nil, nil, err
	}
	return nil, nil, errFound
}
