package ops

import (
	"slices"
	"testing"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// TestTable: every row documents what its function takes, and its body is a
// sound little graph.
func TestTable(t *testing.T) {
	rows := Table()
	if len(rows) == 0 || len(Functions()) != len(rows) {
		t.Fatalf("%d rows, %d functions", len(rows), len(Functions()))
	}
	if !slices.IsSortedFunc(rows, func(a, b Op) int { return slices.Compare([]string{a.Name}, []string{b.Name}) }) {
		t.Error("the rows are not in the order of their names")
	}
	names := func(ps []Param) (out []string) {
		for _, p := range ps {
			if p.Name == "" || p.Type == "" || p.Doc == "" {
				t.Errorf("a parameter lacks its name, type or text: %+v", p)
			}
			out = append(out, p.Name)
		}
		return out
	}
	seen := map[string]bool{}
	for _, op := range rows {
		if seen[op.Name] {
			t.Errorf("%s: two rows", op.Name)
		}
		seen[op.Name] = true
		f := op.Func.Proto
		if op.Func.Version != Version || op.Since < 1 || op.Since > Version || op.Summary == "" {
			t.Errorf("%s: version %d since %d, text %q", op.Name, op.Func.Version, op.Since, op.Summary)
		}
		if f.GetName() != op.Name || op.Func.Schema.Op != op.Name || f.GetDomain() != Domain || op.Func.Schema.Domain != Domain {
			t.Errorf("%s: function %s.%s, schema %s.%s", op.Name, f.GetDomain(), f.GetName(), op.Func.Schema.Domain, op.Func.Schema.Op)
		}
		if got := names(op.Inputs); !slices.Equal(got, f.GetInput()) || len(got) != op.Func.Schema.MaxIn {
			t.Errorf("%s: inputs %v are documented, the function has %v", op.Name, got, f.GetInput())
		}
		if got := names(op.Outputs); !slices.Equal(got, f.GetOutput()) {
			t.Errorf("%s: outputs %v are documented, the function has %v", op.Name, got, f.GetOutput())
		}
		if got := names(op.Attrs); !slices.Equal(got, f.GetAttribute()) {
			t.Errorf("%s: attributes %v are documented, the function has %v", op.Name, got, f.GetAttribute())
		}
		known := slices.Clone(f.GetInput())
		for _, n := range f.GetNode() {
			for _, in := range n.GetInput() {
				if in != "" && !slices.Contains(known, in) {
					t.Errorf("%s: node %s reads %q, which nothing gives", op.Name, n.GetName(), in)
				}
			}
			known = append(known, n.GetOutput()...)
			for _, a := range n.GetAttribute() {
				if r := a.GetRefAttrName(); r != "" && !slices.Contains(f.GetAttribute(), r) {
					t.Errorf("%s: node %s refers to attribute %q, which the function lacks", op.Name, n.GetName(), r)
				}
			}
		}
		for _, out := range f.GetOutput() {
			if !slices.Contains(known, out) {
				t.Errorf("%s: nothing gives output %q", op.Name, out)
			}
		}
	}
}

func TestRotationShapes(t *testing.T) {
	build := func(r int, width any) *graph.Graph {
		g := graph.New("test", Opset, Functions()...)
		x := g.Input("x", graph.Float, graph.Of("batch", 4, "sequence", 16))
		cos := g.Input("cos", graph.Float, graph.Of("batch", "sequence", width))
		sin := g.Input("sin", graph.Float, graph.Of("batch", "sequence", width))
		y := g.Add(graph.Node{
			Domain: Domain, Op: "Rotation", Name: "r", In: []*graph.Value{x, cos, sin}, Out: []string{"y"},
			Attrs: []graph.Attr{graph.IntAttr("interleaved", 0), graph.IntAttr("rotary_embedding_dim", r)},
		})[0]
		g.Output(y)
		return g
	}
	g := build(8, 4)
	m, err := g.Model(graph.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.GetFunctions()) != 1 || m.GetFunctions()[0].GetName() != "Rotation" {
		t.Errorf("functions %v", m.GetFunctions())
	}
	if o := m.GetOpsetImport(); len(o) != 2 || o[1].GetDomain() != Domain || o[1].GetVersion() != Version {
		t.Errorf("opsets %v", o)
	}
	if build(8, 8).Err() == nil {
		t.Error("tables wider than r/2 are no error")
	}
}
