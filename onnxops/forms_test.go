package onnxops

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// bundled are all checkpoints of testdata with logits of another program.
func bundled(t *testing.T, use func(t *testing.T, m *family.Model, st store.Store)) {
	t.Helper()
	dirs, err := filepath.Glob("../testdata/golden/*/config.json")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d folders: %v", len(dirs), err)
	}
	for _, config := range dirs {
		dir := filepath.Dir(config)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			st, err := store.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			m, err := families.Load(st)
			if err != nil {
				t.Fatal(err)
			}
			use(t, m, st)
		})
	}
}

// since is the operator set that brought what graphs hold, where that is after the
// oldest one.
var since = map[string]int{"Gelu": 20, "RMSNormalization": 23, "RotaryEmbedding": 23, "Attention": 23}

// axesAsInput are the reductions whose axes are an input from 18 on.
var axesAsInput = []string{"ReduceMax", "ReduceMean", "ReduceMin"}

// TestForms: in every form a graph holds only what its operator set has and no
// function or domain but ONNX's own, every value carries its type, and whatever node
// and value of the default form has a name is found under it.
func TestForms(t *testing.T) {
	bundled(t, func(t *testing.T, m *family.Model, st store.Store) {
		for _, bias := range []string{BiasAuto, BiasMask} {
			plain, err := Export(m, st, Options{Bias: bias, MaxLength: 64})
			if err != nil {
				t.Fatal(err)
			}
			for opset := lower.Oldest; opset <= lower.Current; opset++ {
				model, err := Export(m, st, Options{Bias: bias, MaxLength: 64, Opset: opset, Portable: opset == lower.Current})
				if err != nil {
					t.Fatal(err)
				}
				checkStructure(t, model)
				checkForm(t, model, opset)
				checkNames(t, plain, model)
			}
		}
	})
}

func checkForm(t *testing.T, model *onnxpb.ModelProto, opset int) {
	t.Helper()
	if len(model.GetFunctions()) > 0 {
		t.Errorf("%d functions", len(model.GetFunctions()))
	}
	if list := model.GetOpsetImport(); len(list) != 1 || list[0].GetDomain() != "" || list[0].GetVersion() != int64(opset) {
		t.Errorf("imports %v, expected operator set %d alone", list, opset)
	}
	ir := map[int]int64{17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}[opset]
	if model.GetIrVersion() != ir {
		t.Errorf("opset %d: IR version %d, expected %d", opset, model.GetIrVersion(), ir)
	}
	typed := map[string]bool{}
	for _, list := range [][]*onnxpb.ValueInfoProto{model.GetGraph().GetValueInfo(), model.GetGraph().GetOutput()} {
		for _, v := range list {
			typed[v.GetName()] = true
		}
	}
	for _, n := range model.GetGraph().GetNode() {
		op := n.GetOpType()
		if n.GetDomain() != "" || since[op] > opset {
			t.Errorf("opset %d: node %s is %s of domain %q", opset, n.GetName(), op, n.GetDomain())
		}
		if slices.Contains(axesAsInput, op) && (len(n.GetInput()) > 1) != (opset >= 18) && len(n.GetAttribute()) > 1 {
			t.Errorf("opset %d: node %s has inputs %v", opset, n.GetName(), n.GetInput())
		}
		for _, out := range n.GetOutput() {
			if !typed[out] {
				t.Errorf("value %s has no type", out)
			}
		}
	}
}

// checkNames holds that what the default form has is found in another.
func checkNames(t *testing.T, plain, model *onnxpb.ModelProto) {
	t.Helper()
	nodes, makers := map[string]bool{}, map[string]bool{}
	for _, n := range model.GetGraph().GetNode() {
		if nodes[n.GetName()] {
			t.Errorf("two nodes %s", n.GetName())
		}
		nodes[n.GetName()] = true
		for _, out := range n.GetOutput() {
			makers[out] = true
		}
	}
	for _, n := range plain.GetGraph().GetNode() {
		if !nodes[n.GetName()] {
			t.Errorf("no node %s (%s)", n.GetName(), n.GetOpType())
		}
		for _, out := range n.GetOutput() {
			if !makers[out] {
				t.Errorf("nothing makes %s of node %s", out, n.GetName())
			}
		}
	}
}

// TestInlinedStamp: a graph says that its functions are inlined, and the default one
// does not.
func TestInlinedStamp(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	for _, tt := range []struct {
		o    Options
		want string
	}{{Options{}, ""}, {Options{Portable: true}, "inlined"}, {Options{Opset: 22}, "inlined"}, {Options{Opset: 22, Attention: AttentionORT}, "inlined"}} {
		got := ""
		for _, p := range exportOne(t, m, ckpt, tt.o).GetMetadataProps() {
			if p.GetKey() == "pecvt.functions" {
				got = p.GetValue()
			}
		}
		if got != tt.want {
			t.Errorf("%+v: pecvt.functions %q, expected %q", tt.o, got, tt.want)
		}
	}
}

// TestOldGroupQuery: GroupQueryAttention stands in a graph of any operator set.
func TestOldGroupQuery(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	model := exportOne(t, m, ckpt, Options{Opset: lower.Oldest, Attention: AttentionORT})
	var ops []string
	for _, n := range model.GetGraph().GetNode() {
		if n.GetDomain() != "" {
			ops = append(ops, n.GetDomain()+"."+n.GetOpType())
		} else if since[n.GetOpType()] > lower.Oldest {
			t.Errorf("node %s is %s", n.GetName(), n.GetOpType())
		}
	}
	if want := slices.Repeat([]string{"com.microsoft.GroupQueryAttention"}, len(m.Blocks)); !slices.Equal(ops, want) {
		t.Errorf("operators of other domains are %s, expected %s", strings.Join(ops, " "), strings.Join(want, " "))
	}
}
