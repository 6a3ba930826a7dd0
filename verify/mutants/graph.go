package mutants

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Graph is a model.onnx that a mutant changes. Its methods panic with a misfit
// where the graph is not what the mutant takes it for.
type Graph struct {
	path  string
	model *onnxpb.ModelProto
	made  int // names given by fresh
}

func readGraph(path string) *Graph {
	data, err := os.ReadFile(path)
	check(err)
	g := &Graph{path: path, model: &onnxpb.ModelProto{}}
	check(proto.Unmarshal(data, g.model))
	return g
}

// digests writes the digests of what the graph holds anew, as an emitter that was wrong
// would have written them.
func (g *Graph) digests() {
	for _, t := range g.model.Graph.Initializer {
		for _, p := range t.MetadataProps {
			if p.GetKey() == names.Digest && len(t.RawData) > 0 {
				p.Value = names.DigestOf(sha256.Sum256(t.RawData))
			}
		}
	}
}

func (g *Graph) save() {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.model)
	check(err)
	check(os.WriteFile(g.path, data, 0o666))
}

// node finds a node by its name.
func (g *Graph) node(name string) *onnxpb.NodeProto {
	for _, n := range g.model.Graph.Node {
		if n.GetName() == name {
			return n
		}
	}
	fail("the graph has no node %q", name)
	return nil
}

// function finds a function by its name.
func (g *Graph) function(name string) *onnxpb.FunctionProto {
	for _, f := range g.model.Functions {
		if f.GetName() == name {
			return f
		}
	}
	fail("the graph has no function %q", name)
	return nil
}

// inner finds the only node of an operator in a function.
func (g *Graph) inner(function, op string) *onnxpb.NodeProto {
	var found *onnxpb.NodeProto
	for _, n := range g.function(function).Node {
		if n.GetOpType() != op {
			continue
		}
		if found != nil {
			fail("function %s has several nodes %s", function, op)
		}
		found = n
	}
	if found == nil {
		fail("function %s has no node %s", function, op)
	}
	return found
}

func attribute(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	fail("node %q has no attribute %q", n.GetName(), name)
	return nil
}

func setInt(n *onnxpb.NodeProto, name string, v int64) {
	for _, a := range n.Attribute {
		if a.GetName() == name {
			a.I = v
			return
		}
	}
	n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: v})
}

// initializer finds a constant or weight by its name.
func (g *Graph) initializer(name string) *onnxpb.TensorProto {
	for _, t := range g.model.Graph.Initializer {
		if t.GetName() == name {
			return t
		}
	}
	fail("the graph has no initializer %q", name)
	return nil
}

// table changes a float32 constant of rows and columns.
func (g *Graph) table(name string, change func(row, column int, x float64) float64) {
	t := g.initializer(name)
	width := 1
	if len(t.Dims) > 0 {
		width = int(t.Dims[len(t.Dims)-1])
	}
	if t.GetDataType() != int32(onnxpb.TensorProto_FLOAT) || len(t.RawData) == 0 {
		fail("constant %q has type %d and %d bytes of its own: expected float32", name, t.GetDataType(), len(t.RawData))
	}
	for i := range len(t.RawData) / 4 {
		at := t.RawData[4*i:]
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
		binary.LittleEndian.PutUint32(at, math.Float32bits(float32(change(i/width, i%width, x))))
	}
}

// doubles changes a float64 constant of rows, heads and columns.
func (g *Graph) doubles(name string, change func(head, column int, x float64) float64) {
	t := g.initializer(name)
	if t.GetDataType() != int32(onnxpb.TensorProto_DOUBLE) || len(t.Dims) != 3 || len(t.RawData) == 0 {
		fail("constant %q has type %d, shape %v and %d bytes of its own: expected float64 of rows, heads and columns", name, t.GetDataType(), t.Dims, len(t.RawData))
	}
	heads, width := int(t.Dims[1]), int(t.Dims[2])
	for i := range len(t.RawData) / 8 {
		at := t.RawData[8*i:]
		x := math.Float64frombits(binary.LittleEndian.Uint64(at))
		binary.LittleEndian.PutUint64(at, math.Float64bits(change(i/width%heads, i%width, x)))
	}
}

// tables changes cos and sin together: angle gives plane p's angle at a row,
// gain what both are multiplied by.
func (g *Graph) tables(angle func(row, plane int, old float64) float64, gain float64) {
	cos, sin := g.initializer("/rotary/cos_table"), g.initializer("/rotary/sin_table")
	width := int(cos.Dims[1])
	at := func(t *onnxpb.TensorProto, i int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:])))
	}
	for i := range len(cos.RawData) / 4 {
		c, s := at(cos, i), at(sin, i)
		a, r := angle(i/width, i%width, math.Atan2(s, c)), gain*math.Hypot(c, s)
		binary.LittleEndian.PutUint32(cos.RawData[4*i:], math.Float32bits(float32(r*math.Cos(a))))
		binary.LittleEndian.PutUint32(sin.RawData[4*i:], math.Float32bits(float32(r*math.Sin(a))))
	}
}

// number sets an int64 constant of one element.
func (g *Graph) number(name string, v int64) {
	t := g.initializer(name)
	switch {
	case len(t.RawData) == 8:
		binary.LittleEndian.PutUint64(t.RawData, uint64(v))
	case len(t.Int64Data) == 1:
		t.Int64Data[0] = v
	default:
		fail("constant %q is not one int64", name)
	}
}

// shift moves where a weight is read from.
func (g *Graph) shift(name string, by int64) {
	for _, e := range g.initializer(name).ExternalData {
		if e.GetKey() == "offset" {
			n, err := strconv.ParseInt(e.GetValue(), 10, 64)
			check(err)
			e.Value = strconv.FormatInt(n+by, 10)
			return
		}
	}
	fail("initializer %q has no external offset", name)
}

// startsWith finds the first initializer whose name begins so.
func (g *Graph) startsWith(prefix string) string {
	for _, t := range g.model.Graph.Initializer {
		if strings.HasPrefix(t.GetName(), prefix) {
			return t.GetName()
		}
	}
	fail("no initializer begins with %q", prefix)
	return ""
}

// ints adds an int64 constant and returns its name.
func (g *Graph) ints(v ...int64) string {
	name := g.fresh("ints")
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(v))}, RawData: raw})
	return name
}

// floats adds a float32 constant of any shape and returns its name.
func (g *Graph) floats(dims []int64, v ...float64) string {
	name := g.fresh("floats")
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
	}
	g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: dims, RawData: raw})
	return name
}

func (g *Graph) fresh(what string) string {
	g.made++
	return "/mutant/" + what + strconv.Itoa(g.made)
}

// position is a node's place in the list.
func (g *Graph) position(name string) int {
	for i, n := range g.model.Graph.Node {
		if n.GetName() == name {
			return i
		}
	}
	fail("the graph has no node %q", name)
	return 0
}

// before puts a node of one output in front of the one named and returns the
// output's name.
func (g *Graph) before(name, op string, in []string, attributes ...*onnxpb.AttributeProto) string {
	out := g.fresh(op)
	n := &onnxpb.NodeProto{OpType: op, Name: out, Input: in, Output: []string{out}, Attribute: attributes}
	i := g.position(name)
	list := g.model.Graph.Node
	g.model.Graph.Node = append(list[:i:i], append([]*onnxpb.NodeProto{n}, list[i:]...)...)
	return out
}

// feed puts an operator between a node and one of its inputs; more are the
// operator's further inputs.
func (g *Graph) feed(name string, input int, op string, more []string, attributes ...*onnxpb.AttributeProto) {
	n := g.node(name)
	n.Input[input] = g.before(name, op, append([]string{n.Input[input]}, more...), attributes...)
}

func intAttribute(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: v}
}

// swap exchanges two inputs of a node.
func (g *Graph) swap(name string, a, b int) {
	in := g.node(name).Input
	in[a], in[b] = in[b], in[a]
}

// sortNodes puts nodes into an order in which every input is made before it is
// read, after a mutant turned edges round.
func (g *Graph) sortNodes() {
	made := map[string]bool{}
	produced := map[string]bool{}
	for _, n := range g.model.Graph.Node {
		for _, o := range n.Output {
			produced[o] = true
		}
	}
	var sorted []*onnxpb.NodeProto
	rest := g.model.Graph.Node
	for len(rest) > 0 {
		var later []*onnxpb.NodeProto
		for _, n := range rest {
			ready := true
			for _, in := range n.Input {
				ready = ready && (!produced[in] || made[in])
			}
			if !ready {
				later = append(later, n)
				continue
			}
			for _, o := range n.Output {
				made[o] = true
			}
			sorted = append(sorted, n)
		}
		if len(later) == len(rest) {
			fail("the graph has a cycle at %q", rest[0].GetName())
		}
		rest = later
	}
	g.model.Graph.Node = sorted
}
