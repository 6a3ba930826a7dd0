package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/pecvt/pecvt/verify/ref"
)

// defaultMaxMem bounds the values that a bisection holds at a time.
const defaultMaxMem = 1 << 30

// Bisection is where the graph's values first leave the budget.
type Bisection struct {
	// Check and Runner name the failure that was followed, or the check that was
	// walked through where nothing failed; Call counts the graph's calls in it
	// from 1 (pieces of a prompt, decode steps).
	Check  string `json:"check"`
	Runner string `json:"runner"`
	Call   int    `json:"call"`
	// Against is what the values are compared with: ref, or interp where the
	// interpreter runs the same graph right.
	Against string `json:"against"`
	// Limit is the budget of one value: max |got − want| / max |want|.
	Limit Number `json:"limit"`
	// Stages are the errors of what each stage hands on, in the order of the
	// graph, as far as the walk went.
	Stages []StageError `json:"stages"`
	// Stage is the first whose output leaves the budget: "embedding", "layer 3",
	// "head"; empty where none does.
	Stage string `json:"stage,omitempty"`
	// Node is the first of the stage's nodes whose output leaves the budget.
	Node *NodeFinding `json:"node,omitempty"`
	// Between lists nodes before Node that could not be told good from bad: the
	// fault is in one of them or in Node.
	Between []string `json:"between,omitempty"`
	// Good is the last value known to be right before Between.
	Good []string `json:"good,omitempty"`
	// Tensors are the weights and tables that Node reads.
	Tensors []TensorFinding `json:"tensors,omitempty"`
	// Magnified says that Node is right by itself: computed in float64 from the
	// inputs that it had it gives the same, so it magnifies what was within the
	// budget before it.
	Magnified bool `json:"magnified,omitempty"`
	// Nodes and Compared count the stage's nodes and those with a counterpart.
	Nodes    int `json:"nodes,omitempty"`
	Compared int `json:"compared,omitempty"`
	// Summary is the finding in a sentence, Advice what to do.
	Summary string `json:"summary"`
	Advice  string `json:"advice,omitempty"`
	// Extracted is the folder of the repro, where one was asked for.
	Extracted string `json:"extracted,omitempty"`
}

// StageError is the largest relative error of what a stage hands on: the
// residual stream and what it caches.
type StageError struct {
	Runner string `json:"runner"`
	Stage  string `json:"stage"`
	Call   int    `json:"call"`
	MaxRel Number `json:"max_rel"`
	Limit  Number `json:"limit"`
	// Value is the one that is farthest off.
	Value string `json:"value"`
}

// NodeFinding is a node, and what is known of the values around it.
type NodeFinding struct {
	Name       string         `json:"name"`
	Op         string         `json:"op"`
	Attributes []string       `json:"attributes,omitempty"`
	Inputs     []ValueFinding `json:"inputs"`
	Outputs    []ValueFinding `json:"outputs"`
	// Wiring tells of inputs that are not those that the emission joins here.
	Wiring []string `json:"wiring,omitempty"`
}

// ValueFinding is one value's error. State is "good", "bad", or "not compared";
// MaxRel has no meaning in the last case.
type ValueFinding struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // "value", "weight", "constant", "input"
	State  string `json:"state"`
	MaxRel Number `json:"max_rel"`
	// Worst says which element is farthest off, and what it is.
	Worst string `json:"worst,omitempty"`
}

// The states of a value.
const (
	stateGood = "good"
	stateBad  = "bad"
	stateNone = "not compared"
)

// next is the sentence that sends the reader of a failed check on.
func (s *session) next() string {
	if s.opts.Bisect {
		return ""
	}
	return fmt.Sprintf("; run pecvt verify %s --bisect", s.dir)
}

// bisect follows the first failed check of the interpreter, else of ONNX
// Runtime; where nothing failed it walks through the prompt on every runner.
func (s *session) bisect() error {
	if !s.opts.Bisect {
		return nil
	}
	if s.opts.MaxMem == 0 {
		s.opts.MaxMem = defaultMaxMem
	}
	if s.verdictOf(interfaceCheck, "interp") == Fail {
		s.report.Bisect = &Bisection{Summary: "the graph's inputs or outputs are wrong, and nothing of it was run: see the check " + interfaceCheck}
		return nil
	}
	if len(s.in.IDs) == 0 || s.verdictOf("reference", "ref") == Fail {
		s.report.Bisect = &Bisection{Summary: "the reference has no answer to compare with: see the check reference"}
		return nil
	}
	var result *Bisection
	for _, f := range s.toFollow() {
		b, err := s.follow(f)
		if errors.Is(err, errWalk) && s.ctx.Err() == nil { // the checks and their verdict stand
			b, err = &Bisection{Check: f.check, Runner: f.runner.name, Summary: fmt.Sprintf("%s, check %s, cannot be looked into: %v", f.runner.name, f.check, err)}, nil
		}
		if err != nil {
			return err
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
		s.report.Bisect = &Bisection{Summary: "no runner of the graph is left to look into"}
		return nil
	}
	s.conclude(result)
	s.report.Bisect = result
	return nil
}

// toFollow lists what to walk through, the most telling first.
func (s *session) toFollow() []failure {
	var graph, runtime []failure
	for _, f := range s.failures {
		if f.runner.name == "interp" {
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
	var all []failure
	for _, r := range s.others {
		if g, ok := r.(*graphRunner); ok {
			all = append(all, failure{"prefill", g, func(r Runner) (*Logits, error) {
				l, _, err := r.Run(s.ctx, s.in, nil)
				return l, err
			}, 0})
		}
	}
	return all
}

// errFound ends a walk that has found what it looked for; errWalk marks one that
// cannot be made, where the graph is not to blame.
var (
	errFound = errors.New("found")
	errWalk  = errors.New("bisect")
)

// follow makes a check again, looking into the graph as it runs.
func (s *session) follow(f failure) (*Bisection, error) {
	w, err := s.newWalk(f)
	if err != nil {
		return nil, err
	}
	defer w.close()
	// At the budget first; where a check fails and no value leaves it (small
	// errors add up on the way to the logits), at what rounding alone can do.
	for _, limit := range w.limits() {
		w.begin(limit)
		_, err := f.run(w)
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		if errors.Is(err, errWalk) {
			return nil, err
		}
		if err != nil && !errors.Is(err, errFound) {
			w.found.Summary = fmt.Sprintf("the walk ends in an error of %s: %s", f.runner.name, reason(f.runner.name, err))
			w.found.Stage = "a call that fails"
		}
		if w.found.Stage != "" {
			break
		}
	}
	if w.part != nil {
		if err := w.part.write(s.opts.Extract, s.opts.Force); err != nil {
			return nil, err
		}
		w.found.Extracted = s.opts.Extract
	}
	return w.found, nil
}

// walk is a Runner that answers as the graph does, and compares what it
// computes on the way with the oracle's.
type walk struct {
	s      *session
	check  string
	failed bool
	runner *graphRunner
	tap    tapper
	oracle oracle
	stages []section
	plan   *plan

	given float64 // the failed check's limit
	limit float64
	call  int
	found *Bisection
	// layer is the stage's that a value was asked for in.
	layer  map[string]int
	part   *extract // where one is asked for
	tokens int      // of the call
	// streams are the errors of what the sections hand on, in the call under way.
	streams map[string]Number
}

// both is a cache as the oracle and the graph have it.
type both struct{ oracle, graph State }

func (s *session) newWalk(f failure) (*walk, error) {
	w := &walk{s: s, check: f.check, runner: f.runner, given: f.limit, tap: s.tapperOf(f.runner)}
	for _, g := range s.failures {
		w.failed = w.failed || g.check == f.check && g.runner == f.runner
	}
	w.plan = newPlan(s.info.Model)
	w.stages = w.plan.stages(len(s.model.Blocks))
	w.oracle = &refOracle{s: s, plan: w.plan, ref: s.ref.rounded()}
	if f.runner.name != "interp" {
		if o := s.interpOracle(); o != nil {
			w.oracle = o
		}
	}
	return w, nil
}

func (w *walk) close() {
	if w.tap != nil {
		w.tap.close()
	}
}

func (w *walk) limits() []float64 {
	budget := valueLimit(w.runner.name)
	if w.runner.name != "interp" {
		budget = max(budget, w.given)
	}
	if !w.failed {
		return []float64{budget}
	}
	return []float64{budget, budget / 100}
}

// valueLimit is the budget of a value between: that of logits for the
// interpreter, and for float32 336 u, which is √n·u over the roundings of a
// forward pass (30 layers, inner products of a few thousand terms), or the
// failed check's own limit where that is wider.
func valueLimit(runner string) float64 {
	if runner == "interp" {
		return limitFor(runner)
	}
	return 336 * roundoff["float32"]
}

func (w *walk) begin(limit float64) {
	w.limit, w.call = limit, 0
	w.found = &Bisection{Check: w.check, Runner: w.runner.name, Against: w.oracle.name(), Limit: Number(limit)}
}

func (w *walk) Name() string    { return w.runner.Name() }
func (w *walk) Positions() bool { return w.runner.Positions() }
func (w *walk) Close() error    { return nil }

// Run makes one call: what the stages hand on first, then the nodes of the
// first bad one.
func (w *walk) Run(ctx context.Context, in Input, past State) (*Logits, State, error) {
	w.call++
	w.found.Call = w.call
	w.tokens = len(in.IDs) * len(in.IDs[0])
	caches := w.split(past)
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

// split takes a past apart; one that no runner computed comes as ref's.
func (w *walk) split(past State) both {
	switch p := past.(type) {
	case both:
		return p
	case *ref.Cache:
		b := both{oracle: p}
		if w.s.synthetic != nil {
			b.graph = w.s.synthetic.state(w.runner)
			if r := w.oracle.graph(); r != nil {
				b.oracle = w.s.synthetic.state(r)
			}
		}
		return b
	}
	return both{}
}
