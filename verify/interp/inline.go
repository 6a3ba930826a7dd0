package interp

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// maxNodes bounds the nodes visited while inlining: nested functions can grow
// exponentially.
const maxNodes = 1 << 17

// addNodes writes nodes into the twin with their functions inlined.
func (t *twin) addNodes(nodes []*onnxpb.NodeProto, s *scope) error {
	for i, n := range nodes {
		name := n.GetName()
		if name == "" {
			name = fmt.Sprintf("%s#%d", n.GetOpType(), i)
		}
		name = s.prefix + name
		if t.visited++; t.visited > maxNodes {
			return fmt.Errorf("the graph with its functions inlined has more than %d nodes", maxNodes)
		}
		if err := t.inline(n, name, s); err != nil {
			return fmt.Errorf("node %q (%s): %w", name, n.GetOpType(), err)
		}
	}
	return nil
}

func (t *twin) inline(n *onnxpb.NodeProto, name string, s *scope) error {
	domain := canonical(n.GetDomain())
	opset, ok := s.opsets[domain]
	if !ok {
		return fmt.Errorf("operator set of domain %q is not imported", domain)
	}
	attrs, err := s.attributes(n.GetAttribute())
	if err != nil {
		return err
	}
	inputs := make([]string, len(n.GetInput()))
	for i, in := range n.GetInput() {
		if inputs[i], err = s.value(in); err != nil {
			return err
		}
	}
	if f := t.functions[functionKey{domain, n.GetOpType(), n.GetOverload()}]; f != nil {
		return t.inlineCall(f, n, name, s, inputs, attrs)
	}
	outputs, err := t.outputs(n, s)
	if err != nil {
		return err
	}
	if domain == "" && n.GetOpType() == "Constant" {
		w, err := constant(attrs, t.files)
		if err != nil {
			return err
		}
		if len(outputs) != 1 || len(inputs) != 0 {
			return fmt.Errorf("takes no input and gives one output")
		}
		w.name = outputs[0]
		t.weights[w.name] = w
		t.addInput(w.name)
		return nil
	}
	if attrs, err = t.setAside(attrs, s); err != nil {
		return err
	}
	t.addNode(&onnxpb.NodeProto{OpType: n.GetOpType(), Input: inputs, Output: outputs, Attribute: attrs}, name, domain, opset)
	return nil
}

// outputs defines the values that a node computes and names them in the twin.
func (t *twin) outputs(n *onnxpb.NodeProto, s *scope) ([]string, error) {
	out := slices.Clone(n.GetOutput())
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("has no outputs")
	}
	for i, name := range out {
		switch {
		case name == "":
			out[i] = t.unusedName()
		case s.values != nil:
			bound, taken := s.values[name]
			if taken && !isPending(bound) {
				return nil, fmt.Errorf("value %q is defined twice in the function", name)
			}
			if taken {
				out[i] = bound[len(pendingPrefix):]
			} else {
				out[i] = t.unique(s.prefix + name)
			}
			s.values[name] = out[i]
		}
		if err := t.define(out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *twin) unusedName() string {
	t.unused++
	return fmt.Sprintf("%s%d", unusedPrefix, t.unused)
}

// unique makes a value's name of a function body differ from all others.
func (t *twin) unique(name string) string {
	for t.defined[name] || t.reserved[name] {
		name += "'"
	}
	return name
}

// A function's outputs are bound to the caller's names before its body defines
// them; until then they are marked so.
const pendingPrefix = "#pending/"

func isPending(bound string) bool {
	return len(bound) > len(pendingPrefix) && bound[:len(pendingPrefix)] == pendingPrefix
}

// inlineCall writes f's body for one call. A function output that is also an
// input of it, or that the body never defines, is an error.
func (t *twin) inlineCall(f *onnxpb.FunctionProto, n *onnxpb.NodeProto, name string, s *scope,
	inputs []string, attrs []*onnxpb.AttributeProto) error {
	b, err := s.call(f, name, inputs, n.GetOutput(), attrs)
	if err != nil {
		return err
	}
	for i, out := range f.GetOutput() {
		if _, taken := b.values[out]; taken {
			return fmt.Errorf("function %v: output %q is also an input or listed twice", keyOf(f), out)
		}
		if i >= len(n.GetOutput()) || n.GetOutput()[i] == "" {
			continue // not asked for: an ordinary value of the body
		}
		bound, err := t.callOutput(n.GetOutput()[i], s)
		if err != nil {
			return err
		}
		b.values[out] = pendingPrefix + bound
	}
	if err := t.addNodes(f.GetNode(), b); err != nil {
		return fmt.Errorf("function %v: %w", keyOf(f), err)
	}
	for _, out := range f.GetOutput() {
		if bound, ok := b.values[out]; !ok || isPending(bound) {
			return fmt.Errorf("function %v never computes its output %q", keyOf(f), out)
		}
	}
	return nil
}

// callOutput is the twin's name of a value that a call computes in scope s.
func (t *twin) callOutput(name string, s *scope) (string, error) {
	if s.values == nil {
		return name, nil
	}
	bound, taken := s.values[name]
	switch {
	case !taken:
		bound = t.unique(s.prefix + name)
	case isPending(bound):
		bound = bound[len(pendingPrefix):]
	default:
		return "", fmt.Errorf("value %q is defined twice in the function", name)
	}
	s.values[name] = bound
	return bound, nil
}
