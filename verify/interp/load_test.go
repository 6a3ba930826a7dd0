package interp

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

const f32 = onnxpb.TensorProto_FLOAT

// addGraph is y = a + b.
func addGraph() *graphBuilder {
	b := newGraph()
	b.input("a", f32, "n")
	b.input("b", f32, "n")
	b.node("Add", []string{"a", "b"}, "y")
	b.output("y")
	return b
}

func TestLoadRefuses(t *testing.T) {
	cases := []struct {
		name string
		edit func(b *graphBuilder, m *onnxpb.ModelProto)
		want string
	}{
		{"no graph", func(_ *graphBuilder, m *onnxpb.ModelProto) { m.Graph = nil }, "holds no graph"},
		{"no output", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Output = nil }, "no input or output"},
		{"unknown operator", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].OpType = "Frobnicate" },
			`node "/y" (Frobnicate): operator "Frobnicate" of domain "" is unknown; known: Abs, Add, And, Attention`},
		{"unknown operator of a domain", func(b *graphBuilder, m *onnxpb.ModelProto) {
			m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: "acme", Version: 1})
			b.g.Node[0].Domain = "acme"
		}, `node "/y" (acme::Add): operator "Add" of domain "acme" is unknown`},
		{"domain not imported", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Domain = "acme" },
			`node "/y" (Add): operator set of domain "acme" is not imported`},
		{"old operator set", func(_ *graphBuilder, m *onnxpb.ModelProto) { m.OpsetImport[0].Version = 16 }, "operator set 16 is not supported; want 17 to 23"},
		{"new operator set", func(_ *graphBuilder, m *onnxpb.ModelProto) { m.OpsetImport[0].Version = 24 }, "operator set 24 is not supported"},
		{"operator newer than its set", func(b *graphBuilder, m *onnxpb.ModelProto) {
			m.OpsetImport[0].Version = 22
			b.g.Node[0].OpType = "RMSNormalization"
		}, "needs operator set 23, the model imports 22"},
		{"too few inputs", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Input = []string{"a"} }, "has 1 inputs; want 2 to 2"},
		{"required input left out", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Input = []string{"", "b"} }, "a required input (one of the first 2) is left out"},
		{"too many outputs", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Output = []string{"y", "z"} }, "has 2 outputs; want at most 1"},
		{"no outputs", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Output = []string{""} }, "has no outputs"},
		{"unknown attribute", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0].Attribute = []*onnxpb.AttributeProto{intAttr("axes", 1)}
		}, `attribute "axes" is unknown`},
		{"attribute of another type", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = node("Softmax", []string{"a"}, []string{"y"}, intsAttr("axis", 1))
		}, `attribute "axis" is of type is; want i`},
		{"attribute twice", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = node("Softmax", []string{"a"}, []string{"y"}, intAttr("axis", 1), intAttr("axis", 0))
		}, `attribute "axis" is given twice`},
		{"attribute without a type", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = node("Softmax", []string{"a"}, []string{"y"}, &onnxpb.AttributeProto{Name: "axis", I: 1})
		}, `attribute "axis" has no type`},
		{"graph attribute", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = node("If", []string{"a"}, []string{"y"},
				&onnxpb.AttributeProto{Name: "then_branch", Type: onnxpb.AttributeProto_GRAPH, G: &onnxpb.GraphProto{}})
		}, `attribute "then_branch": Graph is empty`},
		{"body that reads what is around it", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = scanNode("b", func(g *onnxpb.GraphProto) {})
		}, `attribute "body": node "/given" (Mul): input "b" is not computed before it`},
		{"body without its output", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = scanNode("slice", func(g *onnxpb.GraphProto) { g.Output[0].Name = "none" })
		}, `attribute "body": output "none" is not computed by the graph`},
		{"bodies without end", func(b *graphBuilder, m *onnxpb.ModelProto) {
			b.domains = []string{"own"}
			m.OpsetImport = b.model().OpsetImport
			call := node("again", []string{"slice"}, []string{"given"})
			call.Domain = "own"
			inner := scanNode("slice", func(g *onnxpb.GraphProto) { g.Node = []*onnxpb.NodeProto{call} })
			m.Functions = []*onnxpb.FunctionProto{{Domain: "own", Name: "again", Input: []string{"a"}, Output: []string{"y"},
				OpsetImport: m.OpsetImport, Node: []*onnxpb.NodeProto{inner}}}
			outer := node("again", []string{"a"}, []string{"y"})
			outer.Domain = "own"
			b.g.Node[0] = outer
		}, "graphs lie in one another deeper than 4"},
		{"reference outside a function", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0] = node("Softmax", []string{"a"}, []string{"y"}, refAttr("axis", "axis", onnxpb.AttributeProto_INT))
		}, `refers to "axis", which the function does not declare`},
		{"value defined twice", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.node("Neg", []string{"a"}, "y") }, `value "y" is defined twice`},
		{"node redefines an input", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.node("Neg", []string{"a"}, "b") }, `value "b" is defined twice`},
		{"undefined value", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Input[1] = "c" }, `node "/y" (Add): input "c" is not computed before it`},
		{"nodes out of order", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Node[0].Input[1] = "c"
			b.node("Neg", []string{"a"}, "c")
		}, `node "/y" (Add): input "c" is not computed before it`},
		{"own output as input", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.g.Node[0].Input[1] = "y" }, `input "y" is not computed before it`},
		{"unknown output", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.output("z") }, `output "z" is not computed by the graph`},
		{"output twice", func(b *graphBuilder, _ *onnxpb.ModelProto) { b.output("y") }, `output "y" is listed twice`},
		{"short initializer", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Initializer = append(b.g.Initializer, floatTensor("w", []float32{1, 2}, 3))
		}, `initializer "w": shape [3] of F32 needs 12 bytes, has 8`},
		{"negative dimension", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Initializer = append(b.g.Initializer, floatTensor("w", nil, -1))
		}, `initializer "w": shape [-1] has a negative dimension`},
		{"huge initializer", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Initializer = append(b.g.Initializer, floatTensor("w", nil, 1<<40, 1<<40))
		}, "holds more than"},
		{"string initializer", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Initializer = append(b.g.Initializer, &onnxpb.TensorProto{Name: "w", DataType: int32(onnxpb.TensorProto_STRING)})
		}, `initializer "w": element type STRING is not supported`},
		{"4-bit input", func(b *graphBuilder, _ *onnxpb.ModelProto) {
			b.g.Input[0] = valueInfo("a", onnxpb.TensorProto_FLOAT4E2M1, "n")
		}, `input "a": element type FLOAT4E2M1 is not supported`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			b := addGraph()
			m := b.model()
			tc.edit(b, m)
			_, err := Load(m, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "interp: ") {
				t.Errorf("error %q does not say where it comes from", err)
			}
		})
	}
}

// external adds w = 2 floats at the end of weights.bin.
func external(entries ...string) *onnxpb.TensorProto {
	w := &onnxpb.TensorProto{Name: "w", DataType: int32(f32), Dims: []int64{2}, DataLocation: onnxpb.TensorProto_EXTERNAL}
	for i := 0; i < len(entries); i += 2 {
		w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: entries[i], Value: entries[i+1]})
	}
	return w
}

func TestExternalData(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	raw := []byte{0xff, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0} // one byte, then 1 and -2
	for _, name := range []string{filepath.Join(parent, "outside.bin"), filepath.Join(dir, "weights.bin")} {
		if err := os.WriteFile(name, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name    string
		entries []string
		want    string // of the error
	}{
		{"plain", []string{"location", "weights.bin", "offset", "1", "length", "8"}, ""},
		{"without length", []string{"location", "weights.bin", "offset", "1"}, ""},
		{"no location", []string{"offset", "1"}, "no location"},
		{"parent", []string{"location", "../outside.bin"}, `location "../outside.bin" leaves the model's folder`},
		{"hidden parent", []string{"location", "x/../../outside.bin"}, "leaves the model's folder"},
		{"absolute", []string{"location", filepath.Join(parent, "outside.bin")}, "leaves the model's folder"},
		{"missing", []string{"location", "other.bin"}, "other.bin"},
		{"folder", []string{"location", "."}, "not a regular file"},
		{"past the end", []string{"location", "weights.bin", "offset", "2"}, "bytes [2, 2+8) lie outside the file of 9 bytes"},
		{"offset overflow", []string{"location", "weights.bin", "offset", "9223372036854775807"}, "lie outside the file"},
		{"negative offset", []string{"location", "weights.bin", "offset", "-1"}, "lie outside the file"},
		{"other length", []string{"location", "weights.bin", "length", "9"}, "length is 9 bytes, shape and type need 8"},
		{"no number", []string{"location", "weights.bin", "offset", "1x"}, `offset = "1x"`},
		{"unknown key", []string{"location", "weights.bin", "basepath", "/"}, `basepath = "/": unknown key`},
	}
	if runtime.GOOS != "windows" { // links need a privilege there
		if err := os.Symlink("../outside.bin", filepath.Join(dir, "link.bin")); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, struct {
			name    string
			entries []string
			want    string
		}{"link", []string{"location", "link.bin", "offset", "1"}, `location "link.bin"`})
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			b := addGraph()
			b.g.Node[0].Input[1] = "w"
			b.g.Input = b.g.Input[:1]
			b.g.Initializer = append(b.g.Initializer, external(tc.entries...))
			p, err := Load(b.model(), dir)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), `initializer "w"`) {
					t.Fatalf("error %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			out, err := p.Run(map[string]*Array{"a": Floats([]float64{10, 20}, 2)})
			if err != nil {
				t.Fatal(err)
			}
			if y := out["y"].F; y[0] != 11 || y[1] != 18 {
				t.Errorf("y = %v, want [11 18]", y)
			}
		})
	}
}

// scanNode runs over the elements of a: its body multiplies each by a value of that
// name.
func scanNode(by string, edit func(g *onnxpb.GraphProto)) *onnxpb.NodeProto {
	body := &onnxpb.GraphProto{Name: "step",
		Input:  []*onnxpb.ValueInfoProto{{Name: "slice"}},
		Node:   []*onnxpb.NodeProto{node("Mul", []string{"slice", by}, []string{"given"})},
		Output: []*onnxpb.ValueInfoProto{{Name: "given"}},
	}
	edit(body)
	return node("Scan", []string{"a"}, []string{"y"}, intAttr("num_scan_inputs", 1),
		&onnxpb.AttributeProto{Name: "body", Type: onnxpb.AttributeProto_GRAPH, G: body})
}
