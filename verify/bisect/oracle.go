package bisect

import (
	"context"
	"errors"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// oracle knows what values of the graph should be.
type oracle interface {
	name() string
	// ofGraph tells that it is a run of the graph, not of the model.
	ofGraph() bool
	takePast(*run.Past) run.State
	// has tells whether it knows a node's output, in a stage of the given layer.
	has(in run.Input, past run.State, value string, layer int) bool
	// collect computes the named values, as many from the first on as fit into
	// room bytes; at least one does or it is an error. layerOf tells the stage's
	// layer. What it answers itself comes back too, unless only is set.
	collect(ctx context.Context, in run.Input, past run.State, names []string, layerOf func(string) int, room int64, only bool) (map[string]*wanted, *report.Logits, run.State, error)
}

// logitsTap is what the reference calls its answer.
const logitsTap = names.LogitsTap

// refOracle is ref with the graph's constants.
type refOracle struct {
	s    *search
	plan *run.Plan
	ref  *run.Ref
}

func (o *refOracle) name() string  { return o.ref.Name() }
func (o *refOracle) ofGraph() bool { return false }

// takePast makes what is made of a past's latents once; an error comes again with the
// first call.
func (o *refOracle) takePast(p *run.Past) run.State {
	state := o.ref.TakePast(p)
	if c, err := o.ref.Cache(o.s.ctx, state); err == nil {
		return c
	}
	return state
}

// cacheOf is what a state of takePast, or of a call, holds; nil where it is empty.
func cacheOf(past run.State) *ref.Cache {
	c, _ := past.(*ref.Cache)
	return c
}

func (o *refOracle) counterpart(e *expecter, value string, layer int) *counterpart {
	i, ok := o.plan.Maker[value]
	if !ok {
		return nil
	}
	// What is cached is known by the interface, whatever node makes it.
	if of, kind, ok := names.CacheOf(value); ok && (value == names.Present(of, names.Key) || value == names.Present(of, names.Value)) && of < len(o.s.model.Blocks) {
		return e.ofCache(of, map[string]int{names.Key: 1, names.Value: 2}[kind])
	}
	if o.plan.Written.Steps[o.plan.Nodes[i].GetName()] != "" {
		return nil // within an operator that is written out
	}
	for k, out := range o.plan.Nodes[i].GetOutput() {
		if out == value {
			return e.of(o.plan.Nodes[i], k, layer)
		}
	}
	return nil
}

func (o *refOracle) has(in run.Input, past run.State, value string, layer int) bool {
	return o.counterpart(newExpecter(o.s, in, cacheOf(past)), value, layer) != nil
}

func (o *refOracle) collect(ctx context.Context, in run.Input, past run.State, names []string, layerOf func(string) int, room int64, only bool) (map[string]*wanted, *report.Logits, run.State, error) {
	e := newExpecter(o.s, in, cacheOf(past))
	users := map[string]int{} // tap → how many counterparts wait for it
	parts := map[string]*counterpart{}
	var order []string
	for _, n := range names {
		if c := o.counterpart(e, n, layerOf(n)); c != nil {
			parts[n] = c
			order = append(order, n)
			for _, tap := range c.taps {
				users[tap]++
			}
		}
	}
	out, kept := map[string]*wanted{}, map[string][]float64{}
	var used, refused int64
	full := false
	finish := func() {
		for _, n := range order {
			c := parts[n]
			ready := c != nil
			for _, tap := range partsTaps(c) {
				ready = ready && kept[tap] != nil
			}
			if !ready {
				continue
			}
			w := c.make(kept)
			delete(parts, n)
			for _, tap := range c.taps {
				if users[tap]--; users[tap] == 0 {
					used -= int64(8 * len(kept[tap]))
					delete(kept, tap)
				}
			}
			if size := w.bytes(); used+size > room && len(out) > 0 {
				full, refused = true, size
				continue
			} else {
				used += size
			}
			out[n] = w
		}
	}
	tap := func(name string, values []float64, _ []int) {
		if users[name] == 0 || full {
			return
		}
		size := int64(8 * len(values))
		if used+2*size > room {
			full, refused = true, 2*size
			return
		}
		kept[name] = append([]float64(nil), values...)
		used += size
		finish()
	}
	finish() // what follows from the input alone
	b, s := in.Batch()
	opts := ref.Options{Tap: tap}
	if only && users[logitsTap] == 0 {
		opts.LogitsFrom = s
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	if only {
		opts.Progress = func(int, int) {
			if full || len(parts) == 0 {
				cancel() // the layers after are of no interest
			}
		}
	}
	got, err := o.ref.Forward(inner, in, past, opts)
	if err != nil && (ctx.Err() != nil || inner.Err() == nil) {
		return nil, nil, nil, err
	}
	if len(out) == 0 && full {
		return nil, nil, nil, tooLittle(refused)
	}
	if err != nil {
		return out, nil, nil, nil
	}
	return out, &report.Logits{B: b, S: s, V: got.Vocab, Data: got.Logits}, got.Cache, nil
}

func partsTaps(c *counterpart) []string {
	if c == nil {
		return nil
	}
	return c.taps
}

func tooLittle(need int64) error {
	return hint.Errorf("one value takes %d MiB: raise "+hint.MaxMem+", or bisect a shorter prompt ("+hint.Tokens+")", need>>20+1)
}

// graphOracle is a run of the same graph in float64, for faults of a runtime.
type graphOracle struct {
	runner run.Tapper
	plan   *run.Plan
}

// graphOracle returns the interpreter as an oracle, nil where there is none.
func (s *search) graphOracle() oracle {
	if t := run.Exact(s.others); t != nil {
		return &graphOracle{t, run.NewPlan(s.info.Model)}
	}
	return nil
}

func (o *graphOracle) name() string  { return o.runner.Name() }
func (o *graphOracle) ofGraph() bool { return true }

func (o *graphOracle) takePast(p *run.Past) run.State {
	if t, ok := o.runner.(run.PastTaker); ok {
		return t.TakePast(p)
	}
	return nil
}

func (o *graphOracle) has(_ run.Input, _ run.State, value string, _ int) bool {
	_, made := o.plan.Maker[value]
	return made && !o.plan.Fixed[value]
}

func (o *graphOracle) collect(ctx context.Context, in run.Input, past run.State, names []string, _ func(string) int, room int64, only bool) (map[string]*wanted, *report.Logits, run.State, error) {
	out := map[string]*wanted{}
	left := map[string]bool{}
	for _, n := range names {
		left[n] = true
	}
	old := 0
	if len(in.Mask) > 0 {
		old = len(in.Mask[0]) - len(in.IDs[0])
	}
	var used, refused int64
	done := errors.New("collected")
	logits, after, err := o.runner.Tap(ctx, in, past, names, func(name string, a *interp.Array) error {
		w := &wanted{shape: a.Shape, keep: keepOf(in, old, a.Shape)}
		switch a.Kind {
		case interp.Float:
			w.f = a.F
		case interp.Int:
			w.i = a.I
		default:
			w.b = a.B
		}
		// The runtime's own value lies beside it, in half the room.
		size := w.bytes() * 3 / 2
		if used+size > room {
			refused = size
			if only {
				return done
			}
			return nil
		}
		used += size
		out[name] = w
		delete(left, name)
		if only && len(left) == 0 {
			return done
		}
		return nil
	})
	if err != nil && !errors.Is(err, done) {
		return nil, nil, nil, err
	}
	if len(out) == 0 && refused > 0 {
		return nil, nil, nil, tooLittle(refused)
	}
	return out, logits, after, nil
}

// keepOf tells which elements of a value belong to tokens, by its shape alone:
// (batch·tokens, …), (batch, tokens, …) and (batch, heads, tokens, …). A shape
// of another kind counts in full. Without padding everything counts.
func keepOf(in run.Input, old int, shape []int) func(k int) bool {
	padded := false
	for _, row := range in.Mask {
		for _, v := range row {
			padded = padded || v == 0
		}
	}
	if !padded || len(shape) < 2 {
		return nil
	}
	b, s := in.Batch()
	inner := func(from int) int {
		n := 1
		for _, d := range shape[from:] {
			n *= d
		}
		return n
	}
	real := func(b, t int) bool { return in.Mask[b][old+t] != 0 }
	switch {
	case shape[0] == b*s && (len(shape) == 2 || b == 1):
		w := inner(1)
		return func(k int) bool { return real(k/w/s, k/w%s) }
	case shape[0] == b && len(shape) == 4 && shape[2] == s:
		w, d := inner(1), inner(3)
		return func(k int) bool { return real(k/w, k/d%s) }
	case shape[0] == b && len(shape) == 4 && shape[2] == old+s:
		w, d := inner(1), inner(3)
		return func(k int) bool { return in.Mask[k/w][k/d%(old+s)] != 0 }
	case shape[0] == b && shape[1] == s:
		w, d := inner(1), inner(2)
		return func(k int) bool { return real(k/w, k/d%s) }
	}
	return nil
}
