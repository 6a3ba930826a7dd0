package interp

import (
	"fmt"
	"strconv"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Attributes that carry through onnx-go what it would drop. ONNX attribute
// names hold no dots, so they meet no other.
const (
	attrNode   = "pecvt.node"
	attrDomain = "pecvt.domain"
	attrOpset  = "pecvt.opset"
	attrTensor = "pecvt.tensor." // + the name of a tensor-valued attribute
	attrBody   = "pecvt.body."   // + the name of a graph-valued one
)

// unusedPrefix begins the twin's names of outputs that the node leaves out.
const unusedPrefix = "#unused/"

// twin is a model that onnx-go can decode, and what had to leave it.
type twin struct {
	model   *onnxpb.ModelProto
	weights map[string]*weight // values that come from the model, not the caller
	tensors map[string]*weight // tensor-valued attributes, by their string
	bodies  map[string]*Program

	source    *onnxpb.ModelProto
	functions map[functionKey]*onnxpb.FunctionProto
	files     *externalFiles
	defined   map[string]bool
	reserved  map[string]bool // values of the graph itself: they keep their names
	unused    int             // names given to outputs left out
	visited   int             // nodes seen while inlining
	depth     int             // graphs around this one
}

func buildTwin(m *onnxpb.ModelProto, files *externalFiles, visited, depth int) (*twin, error) {
	g := m.GetGraph()
	if g == nil {
		return nil, fmt.Errorf("the model holds no graph")
	}
	t := &twin{
		model: &onnxpb.ModelProto{
			IrVersion:   m.GetIrVersion(),
			OpsetImport: m.GetOpsetImport(),
			Graph:       &onnxpb.GraphProto{Name: g.GetName()},
		},
		weights:   map[string]*weight{},
		tensors:   map[string]*weight{},
		bodies:    map[string]*Program{},
		source:    m,
		functions: map[functionKey]*onnxpb.FunctionProto{},
		files:     files,
		visited:   visited,
		depth:     depth,
		defined:   map[string]bool{},
		reserved:  map[string]bool{},
	}
	for _, n := range g.GetNode() {
		for _, out := range n.GetOutput() {
			t.reserved[out] = true
		}
	}
	for _, f := range m.GetFunctions() {
		key := keyOf(f)
		if t.functions[key] != nil {
			return nil, fmt.Errorf("function %v is defined twice", key)
		}
		t.functions[key] = f
	}
	for _, init := range g.GetInitializer() {
		w, err := newWeight(init, files)
		if err != nil {
			return nil, err
		}
		if err := t.addWeight(w.name, w); err != nil {
			return nil, err
		}
	}
	for _, in := range g.GetInput() {
		if t.weights[in.GetName()] != nil {
			continue // an initializer may be listed as an input, as its default
		}
		if err := t.define(in.GetName()); err != nil {
			return nil, err
		}
		t.addInput(in.GetName())
	}
	root := &scope{opsets: opsets(m.GetOpsetImport())}
	if err := t.addNodes(g.GetNode(), root); err != nil {
		return nil, err
	}
	return t, t.addOutputs(g)
}

func (t *twin) define(name string) error {
	if name == "" {
		return fmt.Errorf("a value has no name")
	}
	if t.defined[name] {
		return fmt.Errorf("value %q is defined twice", name)
	}
	t.defined[name] = true
	return nil
}

func (t *twin) addInput(name string) {
	g := t.model.Graph
	g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: name})
}

func (t *twin) addWeight(name string, w *weight) error {
	if err := t.define(name); err != nil {
		return err
	}
	t.weights[name] = w
	t.addInput(name)
	return nil
}

// addOutputs declares the graph's outputs. onnx-go makes a new value for each
// output's name, so one that is an input as well gets a node in between.
func (t *twin) addOutputs(g *onnxpb.GraphProto) error {
	inputs := map[string]bool{}
	for _, in := range t.model.Graph.Input {
		inputs[in.Name] = true
	}
	seen := map[string]bool{}
	for _, out := range g.GetOutput() {
		name := out.GetName()
		if !t.defined[name] {
			return fmt.Errorf("output %q is not computed by the graph", name)
		}
		if seen[name] {
			return fmt.Errorf("output %q is listed twice", name)
		}
		seen[name] = true
		if inputs[name] {
			node := &onnxpb.NodeProto{OpType: "Identity", Input: []string{name}, Output: []string{outputAlias(name)}}
			t.addNode(node, "#output/"+name, "", newestOpset)
			name = node.Output[0]
		}
		t.model.Graph.Output = append(t.model.Graph.Output, &onnxpb.ValueInfoProto{Name: name})
	}
	return nil
}

// outputAlias is the twin's name of an output that is an input too.
func outputAlias(name string) string { return "#output/" + name }

func stringAttr(name, value string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(value)}
}

// addNode appends an inlined node, with what onnx-go would drop as attributes.
func (t *twin) addNode(n *onnxpb.NodeProto, name, domain string, opset int64) {
	n.Name = name
	n.Attribute = append(n.Attribute,
		stringAttr(attrNode, name),
		stringAttr(attrDomain, domain),
		&onnxpb.AttributeProto{Name: attrOpset, Type: onnxpb.AttributeProto_INT, I: opset})
	t.model.Graph.Node = append(t.model.Graph.Node, n)
}

// setAside moves attributes that are tensors or graphs to the side tables.
func (t *twin) setAside(attrs []*onnxpb.AttributeProto, s *scope) ([]*onnxpb.AttributeProto, error) {
	out := make([]*onnxpb.AttributeProto, len(attrs))
	for i, a := range attrs {
		out[i] = a
		switch a.GetType() {
		case onnxpb.AttributeProto_FLOAT, onnxpb.AttributeProto_INT, onnxpb.AttributeProto_STRING,
			onnxpb.AttributeProto_FLOATS, onnxpb.AttributeProto_INTS, onnxpb.AttributeProto_STRINGS:
		case onnxpb.AttributeProto_TENSOR:
			w, err := newWeight(a.GetT(), t.files)
			if err != nil {
				return nil, fmt.Errorf("attribute %q: %w", a.GetName(), err)
			}
			key := strconv.Itoa(len(t.tensors))
			t.tensors[key] = w
			out[i] = stringAttr(attrTensor+a.GetName(), key)
		case onnxpb.AttributeProto_GRAPH:
			p, err := t.body(a.GetG(), s)
			if err != nil {
				return nil, fmt.Errorf("attribute %q: %w", a.GetName(), err)
			}
			key := strconv.Itoa(len(t.bodies))
			t.bodies[key] = p
			out[i] = stringAttr(attrBody+a.GetName(), key)
		default:
			return nil, fmt.Errorf("attribute %q: %v attributes are not supported", a.GetName(), a.GetType())
		}
	}
	return out, nil
}
