package verify_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// graphOf is a graph that a test damages.
type graphOf struct{ model *onnxpb.ModelProto }

// graphFault plants a fault into model.onnx.
func graphFault(plant func(t *testing.T, g *graphOf)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "model.onnx")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		g := &graphOf{model: &onnxpb.ModelProto{}}
		if err := proto.Unmarshal(data, g.model); err != nil {
			t.Fatal(err)
		}
		plant(t, g)
		damaged, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.model)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(damaged, data) {
			t.Fatal("the fault changes nothing")
		}
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func (g *graphOf) node(t *testing.T, name string) *onnxpb.NodeProto {
	t.Helper()
	for _, n := range g.model.Graph.Node {
		if n.GetName() == name {
			return n
		}
	}
	t.Fatalf("the graph has no node %q", name)
	return nil
}

func attribute(t *testing.T, n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	t.Helper()
	for _, a := range n.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	t.Fatalf("node %q has no attribute %q", n.GetName(), name)
	return nil
}

func (g *graphOf) output(t *testing.T, name string) *onnxpb.ValueInfoProto {
	t.Helper()
	for _, out := range g.model.GetGraph().GetOutput() {
		if out.GetName() == name {
			return out
		}
	}
	t.Fatalf("the graph has no output %q", name)
	return nil
}

func (g *graphOf) initializer(t *testing.T, name string) *onnxpb.TensorProto {
	t.Helper()
	for _, w := range g.model.Graph.Initializer {
		if w.GetName() == name {
			return w
		}
	}
	t.Fatalf("the graph has no initializer %q", name)
	return nil
}

// table rewrites a table of float32.
func (g *graphOf) table(t *testing.T, name string, f func(row, plane int, x float64) float64) {
	t.Helper()
	w := g.initializer(t, name)
	width := int(w.Dims[1])
	for i := range len(w.RawData) / 4 {
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32(w.RawData[4*i:])))
		binary.LittleEndian.PutUint32(w.RawData[4*i:], math.Float32bits(float32(f(i/width, i%width, x))))
	}
}

// headTable changes a float64 table of rows, heads and the planes of all layers.
func (g *graphOf) headTable(t *testing.T, name string, f func(row, head, column int, x float64) float64) {
	t.Helper()
	w := g.initializer(t, name)
	heads, width := int(w.Dims[1]), int(w.Dims[2])
	for i := range len(w.RawData) / 8 {
		x := math.Float64frombits(binary.LittleEndian.Uint64(w.RawData[8*i:]))
		binary.LittleEndian.PutUint64(w.RawData[8*i:], math.Float64bits(f(i/width/heads, i/width%heads, i%width, x)))
	}
}

func replacePlane(plane int, f func(pos float64) float64) func(row, p int, x float64) float64 {
	return func(row, p int, x float64) float64 {
		if p == plane {
			return f(float64(row))
		}
		return x
	}
}

// constant sets an int64 constant of one element.
func (g *graphOf) constant(t *testing.T, name string, v int64) {
	t.Helper()
	w := g.initializer(t, name)
	if len(w.RawData) == 8 {
		binary.LittleEndian.PutUint64(w.RawData, uint64(v))
		return
	}
	if len(w.Int64Data) != 1 {
		t.Fatalf("constant %q is not one int64", name)
	}
	w.Int64Data[0] = v
}

// shift moves where a weight is read from.
func (g *graphOf) shift(t *testing.T, name string, by int64) {
	t.Helper()
	for _, e := range g.initializer(t, name).ExternalData {
		if e.GetKey() == "offset" {
			n, err := strconv.ParseInt(e.GetValue(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = strconv.FormatInt(n+by, 10)
			return
		}
	}
	t.Fatalf("initializer %q has no external offset", name)
}

func textAttribute(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: v}
}

// before puts nodes in front of the graph's own.
func (g *graphOf) before(nodes ...*onnxpb.NodeProto) {
	g.model.Graph.Node = append(nodes, g.model.Graph.Node...)
}

// allOnes adds a value like attention_mask that hides nothing.
func (g *graphOf) allOnes(t *testing.T) string {
	t.Helper()
	one := &onnxpb.TensorProto{DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{1}, RawData: []byte{1, 0, 0, 0, 0, 0, 0, 0}}
	g.before(
		&onnxpb.NodeProto{OpType: "Shape", Name: "/fault/Shape", Input: []string{"attention_mask"}, Output: []string{"/fault/shape"}},
		&onnxpb.NodeProto{OpType: "ConstantOfShape", Name: "/fault/Ones", Input: []string{"/fault/shape"}, Output: []string{"/fault/ones"},
			Attribute: []*onnxpb.AttributeProto{{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: one}}},
	)
	return "/fault/ones"
}

// recache gives an Attention node's present keys from another value than the
// one it scores with: past joined with that value.
func (g *graphOf) recache(attention *onnxpb.NodeProto, key string) {
	present := attention.Output[1]
	attention.Output[1] = "/fault/present"
	join := &onnxpb.NodeProto{OpType: "Concat", Name: "/fault/Concat",
		Input: []string{attention.Input[4], key}, Output: []string{present}, Attribute: []*onnxpb.AttributeProto{textAttribute("axis", 2)}}
	g.model.Graph.Node = append(g.model.Graph.Node, join)
}

func replaceIn(t *testing.T, path, old, with string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(data, []byte(old)) != 1 {
		t.Fatalf("%s: %q occurs %d times:\n%s", path, old, bytes.Count(data, []byte(old)), data)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(with), 1), 0o666); err != nil {
		t.Fatal(err)
	}
}

// unlisted makes a folder one that was not converted: nothing says what its files
// were, and a test may change them.
func unlisted(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, run.ManifestFile)); err != nil {
		t.Fatal(err)
	}
}

// unsummed makes a tensor file beside a pecvt.json what the conversion wrote, as far as
// its sums tell: there are none.
func unsummed(t *testing.T, file string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(file), run.ManifestFile)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, regexp.MustCompile(`,\s*"crc32c": "[^"]*"`).ReplaceAll(text, nil), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// swapNames exchanges two tensors' entries in a header of the same length.
func swapNames(t *testing.T, path, a, b string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := int(binary.LittleEndian.Uint64(data))
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	if header[a] == nil || header[b] == nil {
		t.Fatalf("%s lacks %q or %q", path, a, b)
	}
	header[a], header[b] = header[b], header[a]
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > n {
		t.Fatalf("the header grows from %d to %d bytes", n, len(text))
	}
	copy(data[8:], append(text, bytes.Repeat([]byte(" "), n-len(text))...))
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// swapData exchanges two tensors' bytes under the same header.
func swapData(t *testing.T, path, a, b string) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := f.Lookup(a)
	y, _ := f.Lookup(b)
	start := f.DataStart()
	f.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	left, right := data[start+x.Begin:start+x.End], data[start+y.Begin:start+y.End]
	if len(left) == 0 || len(left) != len(right) {
		t.Fatalf("%q has %d bytes, %q %d", a, len(left), b, len(right))
	}
	kept := bytes.Clone(left)
	copy(left, right)
	copy(right, kept)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}
