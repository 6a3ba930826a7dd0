package interp

import (
	"errors"
	"fmt"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Program is a graph ready to run. It keeps the files of external data open:
// Close it. Runs do not change it and may go on side by side.
type Program struct {
	steps   []*step
	names   map[int64]string // of every value
	inputs  []port           // in the model's order
	outputs []port
	inputID map[string]int64
	weights map[int64]*weight
	output  map[string]int64
	files   *externalFiles
}

// Load makes a Program of model. External data is looked up in dir, which it
// may not leave, and is read when a run needs it. The errors name what the
// model holds that cannot be run: an operator, an attribute, an element type.
func Load(model *onnxpb.ModelProto, dir string) (*Program, error) {
	files := &externalFiles{dir: dir}
	p, _, err := load(model, files, 0, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("interp: %w", err), files.close())
	}
	return p, nil
}

// Close releases the files of external data.
func (p *Program) Close() error { return p.files.close() }

// Inputs are the names of the inputs a run must be given, in the model's
// order.
func (p *Program) Inputs() []string { return portNames(p.inputs) }

// Outputs are the names of the values a run returns, in the model's order.
func (p *Program) Outputs() []string { return portNames(p.outputs) }

// load makes a program, and counts the nodes visited. depth is how many graphs are
// around this one.
func load(model *onnxpb.ModelProto, files *externalFiles, visited, depth int) (*Program, int, error) {
	t, err := buildTwin(model, files, visited, depth)
	if err != nil {
		return nil, 0, err
	}
	r, inputs, outputs, err := decode(t)
	if err != nil {
		return nil, 0, err
	}
	p := &Program{
		steps:   r.steps,
		names:   map[int64]string{},
		inputID: map[string]int64{},
		weights: map[int64]*weight{},
		output:  map[string]int64{},
		files:   files,
	}
	nodes := r.Nodes()
	for nodes.Next() {
		n := nodes.Node()
		p.names[n.ID()] = nameOf(n)
	}
	for _, id := range inputs {
		name := p.names[id]
		p.inputID[name] = id
		if w := t.weights[name]; w != nil {
			p.weights[id] = w
		}
	}
	g := model.GetGraph()
	for _, in := range g.GetInput() {
		if t.weights[in.GetName()] == nil {
			port, err := newPort(in)
			if err != nil {
				return nil, 0, fmt.Errorf("input %q: %w", in.GetName(), err)
			}
			p.inputs = append(p.inputs, port)
		}
	}
	for i, out := range g.GetOutput() {
		port, err := newPort(out)
		if err != nil {
			return nil, 0, fmt.Errorf("output %q: %w", out.GetName(), err)
		}
		p.outputs = append(p.outputs, port)
		p.output[out.GetName()] = outputs[i]
	}
	return p, t.visited, p.plan(inputs)
}

// plan checks that every value is computed before it is used, and notes after
// which step each can be dropped.
func (p *Program) plan(inputs []int64) error {
	ready := map[int64]bool{}
	for _, id := range inputs {
		ready[id] = true
	}
	last := map[int64]int{}
	for i, s := range p.steps {
		for _, id := range s.in {
			if id == absent {
				continue
			}
			if !ready[id] {
				return s.wrap(fmt.Errorf("input %q is not computed before it", p.names[id]))
			}
			last[id] = i
		}
		for _, id := range s.out {
			if id != absent {
				ready[id] = true
				last[id] = i
			}
		}
	}
	for _, id := range p.output {
		if !ready[id] {
			return fmt.Errorf("output %q is not computed", p.names[id])
		}
		delete(last, id)
	}
	for id, i := range last {
		p.steps[i].drop = append(p.steps[i].drop, id)
	}
	return nil
}
