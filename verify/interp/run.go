package interp

import (
	"context"
	"fmt"
	"strings"
)

// Options of a run. The zero value computes ideally and shows nothing.
type Options struct {
	// Tap, if set, is shown every value that a node computes, in order, by its
	// name in the graph (values inside an inlined function: node name, slash,
	// their name in the function). Values that are a weight passed on, such as
	// a cast one, are not shown: nothing has been computed yet.
	Tap func(value string, a *Array)

	// RoundTypes makes a value what its own type can hold: every float that a node
	// computes, and every input, is rounded once, to nearest even, to the element type that the graph
	// gives it, float32 included. What a node sums on its way is kept in float64.
	RoundTypes bool

	// RoundInputs makes a MatMulNBits that declares accuracy_level 4 round what enters
	// it as ONNX Runtime's kernels do: in each block of a row the largest number is
	// 127 steps, and every number a whole one, ties to even.
	RoundInputs bool
}

// Run computes the graph's outputs. Every input that has no initializer must
// be given; kinds and declared shapes are checked.
func (p *Program) Run(inputs map[string]*Array) (map[string]*Array, error) {
	return p.RunWith(context.Background(), inputs, Options{})
}

// RunTapped is Run with Options.Tap.
func (p *Program) RunTapped(inputs map[string]*Array, tap func(value string, a *Array)) (map[string]*Array, error) {
	return p.RunWith(context.Background(), inputs, Options{Tap: tap})
}

// RunWith is Run with options; it ends with ctx's error when ctx does.
func (p *Program) RunWith(ctx context.Context, inputs map[string]*Array, o Options) (map[string]*Array, error) {
	out, err := p.run(ctx, inputs, o)
	if err != nil {
		return nil, fmt.Errorf("interp: %w", err)
	}
	return out, nil
}

func (p *Program) run(ctx context.Context, inputs map[string]*Array, o Options) (map[string]*Array, error) {
	bound := map[string]int{}
	values := make(map[int64]*Array, len(p.names))
	for id, w := range p.weights {
		values[id] = w.lazy()
	}
	for _, port := range p.inputs {
		a := inputs[port.name]
		if a == nil {
			return nil, fmt.Errorf("input %q is missing; the graph takes %s", port.name, strings.Join(p.Inputs(), ", "))
		}
		err := a.check()
		if err == nil {
			err = port.match(a, bound)
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", port.name, err)
		}
		a = a.typed(port.of)
		if o.RoundTypes {
			if a, err = a.rounded(); err != nil {
				return nil, fmt.Errorf("input %q: %w", port.name, err)
			}
		}
		values[p.inputID[port.name]] = a
	}
	for name := range inputs {
		if _, ok := p.inputID[name]; !ok || p.weights[p.inputID[name]] != nil {
			return nil, fmt.Errorf("input %q is not one of the graph's: %s", name, strings.Join(p.Inputs(), ", "))
		}
	}
	for _, s := range p.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.do(ctx, s, values, o); err != nil {
			return nil, s.wrap(err)
		}
	}
	out := make(map[string]*Array, len(p.outputs))
	for _, port := range p.outputs {
		a, err := values[p.output[port.name]].dense()
		if err == nil {
			err = port.match(a, bound)
		}
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", port.name, err)
		}
		out[port.name] = a
	}
	return out, nil
}

// do runs one node.
func (p *Program) do(ctx context.Context, s *step, values map[int64]*Array, o Options) error {
	c := &call{step: s, ctx: ctx, options: o, in: make([]*Array, len(s.in))}
	for i, id := range s.in {
		if id == absent {
			continue
		}
		a := values[id]
		if !s.kernel.lazy {
			var err error
			if a, err = a.dense(); err != nil {
				return err
			}
		}
		c.in[i] = a
	}
	out, err := s.kernel.run(c)
	if err == nil {
		out, err = c.settle(out)
	}
	if err != nil {
		return fmt.Errorf("%w (inputs %s)", err, c.inputs())
	}
	for i, id := range s.out {
		if id == absent {
			continue
		}
		if i >= len(out) || out[i] == nil {
			return fmt.Errorf("output %d is not computed", i)
		}
		values[id] = out[i]
		if o.Tap != nil && out[i].weight == nil {
			o.Tap(p.names[id], out[i])
		}
	}
	for _, id := range s.drop {
		delete(values, id)
	}
	return nil
}
