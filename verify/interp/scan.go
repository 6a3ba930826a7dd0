package interp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// maxDepth bounds how deep bodies lie in one another: a function whose body has a
// node that calls it would go on for ever.
const maxDepth = 4

// body makes a program of a graph that is an attribute. It reads its own inputs and
// weights alone: a value of the graph around it is not computed in it.
func (t *twin) body(g *onnxpb.GraphProto, s *scope) (*Program, error) {
	if t.depth == maxDepth {
		return nil, fmt.Errorf("graphs lie in one another deeper than %d", maxDepth)
	}
	m := &onnxpb.ModelProto{IrVersion: t.source.GetIrVersion(), Graph: g, Functions: t.source.GetFunctions()}
	for domain, version := range s.opsets {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: domain, Version: version})
	}
	p, visited, err := load(m, t.files, t.visited, t.depth+1)
	t.visited = visited
	return p, err
}

// scan runs its body over the slices of the last inputs, forward, and hands the
// first outputs on to the next step.
func scan(c *call) ([]*Array, error) {
	body, _ := c.attrs["body"].(*Program)
	if body == nil {
		return nil, errors.New(`attribute "body" is missing`)
	}
	cut := c.int("num_scan_inputs", 0)
	n := len(c.in) - cut
	if cut < 1 || n < 0 || len(body.inputs) != len(c.in) || len(body.outputs) < n {
		return nil, fmt.Errorf("num_scan_inputs is %d with %d inputs, and the body takes %d and gives %d", cut, len(c.in), len(body.inputs), len(body.outputs))
	}
	given := len(body.outputs) - n
	for name, want := range map[string]int{"scan_input_axes": cut, "scan_input_directions": cut, "scan_output_axes": given, "scan_output_directions": given} {
		if c.has(name) && len(c.ints(name)) != want {
			return nil, fmt.Errorf("attribute %q has %d numbers; want %d", name, len(c.ints(name)), want)
		}
	}
	if slices.ContainsFunc(append(c.ints("scan_input_directions"), c.ints("scan_output_directions")...), func(d int) bool { return d != 0 }) {
		return nil, errors.New("runs backwards, which is not supported")
	}
	if slices.Contains(c.in, nil) {
		return nil, errors.New("an input is left out")
	}
	along, steps := make([]int, cut), -1
	for i, a := range c.in[n:] {
		var err error
		if along[i], err = axis(at(c.ints("scan_input_axes"), i), len(a.Shape)); err != nil {
			return nil, fmt.Errorf("input %d: %w", n+i, err)
		}
		if k := a.Shape[along[i]]; steps < 0 {
			steps = k
		} else if k != steps {
			return nil, fmt.Errorf("input %d has %d steps, another %d", n+i, k, steps)
		}
	}
	if steps == 0 && given > 0 {
		return nil, errors.New("has no steps: the shape of what they give is not known")
	}
	return c.steps(body, slices.Clone(c.in[:n]), along, steps)
}

// steps runs the body as often as told.
func (c *call) steps(body *Program, states []*Array, along []int, steps int) ([]*Array, error) {
	n := len(states)
	joined := make([]*Array, len(body.outputs)-n)
	inside := c.options
	inside.Tap = nil
	for k := range steps {
		in := map[string]*Array{}
		for i, a := range states {
			in[body.inputs[i].name] = a
		}
		for i, a := range c.in[n:] {
			shape := slices.Delete(slices.Clone(a.Shape), along[i], along[i]+1)
			own := strides(a.Shape)
			one, err := gathered(a, view{k * own[along[i]], slices.Delete(slices.Clone(own), along[i], along[i]+1)}, shape)
			if err != nil {
				return nil, err
			}
			in[body.inputs[n+i].name] = one.typed(a.of)
		}
		out, err := body.run(c.ctx, in, inside)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", k, err)
		}
		for i := range states {
			states[i] = out[body.outputs[i].name]
		}
		for i := range joined {
			if err := c.join(&joined[i], out[body.outputs[n+i].name], i, k, steps); err != nil {
				return nil, fmt.Errorf("output %d: %w", n+i, err)
			}
		}
	}
	return append(states, joined...), nil
}

// join writes what step k gave to its place among those of all steps.
func (c *call) join(all **Array, one *Array, i, k, steps int) error {
	ax, err := axis(at(c.ints("scan_output_axes"), i), len(one.Shape)+1)
	if err != nil {
		return err
	}
	if *all == nil {
		if *all, err = newArray(one.Kind, slices.Insert(slices.Clone(one.Shape), ax, steps)...); err != nil {
			return err
		}
		(*all).of = one.of
	}
	a := *all
	if !equalShape(slices.Delete(slices.Clone(a.Shape), ax, ax+1), one.Shape) || a.Kind != one.Kind || a.of != one.of {
		return fmt.Errorf("step %d gives %v, the one before %v", k, one, a)
	}
	own := strides(a.Shape)
	copyRegion(a, view{k * own[ax], slices.Delete(slices.Clone(own), ax, ax+1)}, one, whole(one), one.Shape)
	return nil
}

// at is element i of a list, 0 without one.
func at(list []int, i int) int {
	if list == nil {
		return 0
	}
	return list[i]
}
