package interp

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"google.golang.org/protobuf/proto"
)

// functionKey names a model-local function.
type functionKey struct{ domain, name, overload string }

func (k functionKey) String() string {
	s := k.domain + "::" + k.name
	if k.overload != "" {
		s += ":" + k.overload
	}
	return s
}

// canonical spells ONNX's own domain one way.
func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// scope is what names mean while the nodes of the graph, or of one call of a
// function, are written into the twin.
type scope struct {
	prefix string            // of node and value names; "" in the graph
	values map[string]string // a function's names; nil in the graph, where a name is itself
	attrs  map[string]*onnxpb.AttributeProto
	known  map[string]bool // attributes the function declares
	opsets map[string]int64
	calls  []functionKey // the functions we are inside of
}

func opsets(imports []*onnxpb.OperatorSetIdProto) map[string]int64 {
	m := make(map[string]int64, len(imports))
	for _, id := range imports {
		m[canonical(id.GetDomain())] = id.GetVersion()
	}
	return m
}

// value is the twin's name of a value that the scope's nodes call name.
func (s *scope) value(name string) (string, error) {
	if name == "" || s.values == nil {
		return name, nil
	}
	v, ok := s.values[name]
	if !ok || isPending(v) {
		return "", fmt.Errorf("value %q is neither an input of the function nor computed before it is used", name)
	}
	return v, nil
}

// attributes of a node with references to the function's attributes resolved.
// An attribute that refers to one the caller left out is left out too.
func (s *scope) attributes(list []*onnxpb.AttributeProto) ([]*onnxpb.AttributeProto, error) {
	out := make([]*onnxpb.AttributeProto, 0, len(list))
	seen := map[string]bool{}
	for _, a := range list {
		name := a.GetName()
		if name == "" || seen[name] {
			return nil, fmt.Errorf("attribute %q is given twice or has no name", name)
		}
		seen[name] = true
		if ref := a.GetRefAttrName(); ref != "" {
			if !s.known[ref] {
				return nil, fmt.Errorf("attribute %q refers to %q, which the function does not declare", name, ref)
			}
			actual := s.attrs[ref]
			if actual == nil {
				continue
			}
			if a.GetType() != onnxpb.AttributeProto_UNDEFINED && a.GetType() != actual.GetType() {
				return nil, fmt.Errorf("attribute %q is %v, the function's %q was given %v", name, a.GetType(), ref, actual.GetType())
			}
			a = proto.Clone(actual).(*onnxpb.AttributeProto)
			a.Name = name
		}
		if a.GetType() == onnxpb.AttributeProto_UNDEFINED {
			return nil, fmt.Errorf("attribute %q has no type", name)
		}
		out = append(out, a)
	}
	return out, nil
}

// call is the scope of f's body for one call of it: inputs and outputs are the
// twin's names of the call's values.
func (s *scope) call(f *onnxpb.FunctionProto, prefix string, inputs, outputs []string, attrs []*onnxpb.AttributeProto) (*scope, error) {
	key := keyOf(f)
	if slices.Contains(s.calls, key) {
		return nil, fmt.Errorf("function %v calls itself", key)
	}
	if len(inputs) > len(f.GetInput()) || len(outputs) > len(f.GetOutput()) {
		return nil, fmt.Errorf("function %v takes %d inputs and gives %d outputs, the call has %d and %d",
			key, len(f.GetInput()), len(f.GetOutput()), len(inputs), len(outputs))
	}
	b := &scope{
		prefix: prefix + "/",
		values: map[string]string{},
		attrs:  map[string]*onnxpb.AttributeProto{},
		known:  map[string]bool{},
		opsets: opsets(f.GetOpsetImport()),
		calls:  append(slices.Clone(s.calls), key),
	}
	for i, name := range f.GetInput() {
		b.values[name] = ""
		if i < len(inputs) {
			b.values[name] = inputs[i]
		}
	}
	for _, name := range f.GetAttribute() {
		b.known[name] = true
	}
	for _, a := range f.GetAttributeProto() {
		b.known[a.GetName()] = true
		b.attrs[a.GetName()] = a
	}
	for _, a := range attrs {
		if !b.known[a.GetName()] {
			return nil, fmt.Errorf("function %v has no attribute %q", key, a.GetName())
		}
		b.attrs[a.GetName()] = a
	}
	return b, nil
}

func keyOf(f *onnxpb.FunctionProto) functionKey {
	return functionKey{canonical(f.GetDomain()), f.GetName(), f.GetOverload()}
}
