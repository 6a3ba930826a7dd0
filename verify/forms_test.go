package verify_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// forms are the graphs for runtimes that lack something: functions, or the newest
// operators. Between them lie 18 (axes of reductions as an input) and 20 (Gelu).
var forms = []conversion{{portable: true}, {opset: lower.Oldest}, {opset: 18}, {opset: 20}, {opset: 22}}

// TestForms: every golden's first conversion in the forms that hold the most apart,
// one golden in all of them, complete as in the default form.
func TestForms(t *testing.T) {
	present := runtimePresent(t)
	seen := map[string]bool{}
	for _, g := range goldenCases {
		list := forms[:2]
		switch first := !seen[g.model]; {
		case first && g.model == "golden/qwen3":
			list = forms
		case testing.Short():
			continue
		case !first && g.to != "hope":
			continue
		}
		seen[g.model] = true
		for _, c := range list {
			c.model, c.to, c.scale = g.model, g.to, g.scale
			c = c.scaled(g.beta)
			t.Run(fmt.Sprintf("%s/%s/portable=%v,opset=%d", filepath.Base(g.model), g.to, c.portable, c.opset), func(t *testing.T) {
				t.Parallel()
				golden := filepath.Join(fixtures, g.model, g.golden+".safetensors")
				wantComplete(t, verified(t, c.write(t), verify.Options{Golden: golden}), onnxops.AttentionStandard, g.layers, present)
			})
		}
	}
}

// TestFormsOfOthers: goldens of other families and of encodings with biases, gates,
// phases and shifts, as they stand, pass every check that their default form passes.
// ONNX Runtime runs them at one optimisation level: what is written out is written by
// the code that TestForms runs at every level (PECVT_LONG=1: so are these). A graph
// with its functions written out is what ONNX Runtime itself makes of the default one,
// so that it has to give the same numbers to the last bit; the checks that read what is
// written out are made of the older operator set, which has no functions either.
func TestFormsOfOthers(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(fixtures, "golden", "*", "golden.safetensors"))
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d goldens: %v", len(dirs), err)
	}
	covered := map[string]bool{}
	for _, g := range goldenCases {
		covered[filepath.Base(g.model)] = true
	}
	for i, golden := range dirs {
		name := filepath.Base(filepath.Dir(golden))
		if covered[name] || testing.Short() && i%8 != 0 {
			continue
		}
		for _, c := range forms[:2] {
			c.model, c.to, c.maxLength = "golden/"+name, "as-is", 300
			t.Run(fmt.Sprintf("%s/portable=%v,opset=%d", name, c.portable, c.opset), func(t *testing.T) {
				t.Parallel()
				if c.portable && runtimePresent(t) && oneLevel() != "" {
					sameNumbers(t, c)
					return
				}
				r := verified(t, c.write(t), verify.Options{Tokens: 24, Golden: golden, OptLevel: oneLevel()})
				if want := verify.Pass; r.Verdict != want && (r.Verdict != verify.Incomplete || runtimePresent(t)) {
					t.Errorf("%s, want %s", r.Verdict, want)
				}
				for _, c := range r.Checks {
					if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete || c.Verdict == verify.Ambiguous {
						t.Errorf("%s of %s: %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
			})
		}
	}
}

// sameNumbers holds a portable graph against the default one in ONNX Runtime: a
// prompt, and a step over what it left.
func sameNumbers(t *testing.T, c conversion) {
	t.Helper()
	plain := c
	plain.portable = false
	ids := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}
	var want []float32
	for _, c := range []conversion{plain, c} {
		g, err := generate.Open(c.write(t), ort.Options{Threads: 1, OptLevel: ort.OptDisabled})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		g.Begin(0)
		var got []float32
		for _, piece := range [][]int64{ids[:12], ids[12:]} {
			l, err := g.Next(t.Context(), piece)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l...)
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) { // NaN is unlike itself
			t.Error("a portable graph gives other numbers than the default one")
		}
	}
	if len(want) == 0 || want[0] == want[len(want)-1] {
		t.Errorf("%d logits", len(want))
	}
}

// oneLevel is the optimisation level of graphs whose operators other tests run at every
// level, and every level with PECVT_LONG=1.
func oneLevel() string {
	if os.Getenv("PECVT_LONG") == "1" {
		return ""
	}
	return ort.OptAll
}

// TestOldGroupQueryAttention: ONNX Runtime's own operator in the oldest operator set.
func TestOldGroupQueryAttention(t *testing.T) {
	present := runtimePresent(t)
	c := conversion{model: "golden/llama-gqa", to: "hope", attention: onnxops.AttentionORT, opset: lower.Oldest}
	wantComplete(t, verified(t, c.write(t), verify.Options{}), onnxops.AttentionORT, noGolden, present)
}

// TestMatMulForm: transposed float32 copies of weights of any stored type and place,
// alone and with the other forms.
func TestMatMulForm(t *testing.T) {
	present := runtimePresent(t)
	for _, c := range []conversion{
		{model: "golden/llama-gqa", to: "hope"},
		{model: "golden/llama-tied-bf16", to: "rope", opset: lower.Oldest},
		{model: "golden/llama-sharded-f16", to: "rope", placement: onnxops.PlaceEmbed},
		{model: "golden/phi3", to: "rope", portable: true},
		{model: "golden/gpt-neox", to: "rope"},
		{model: "golden/llama-gqa", to: "hope", attention: onnxops.AttentionORT},
	} {
		c.linear = onnxops.LinearMatMul
		t.Run(fmt.Sprintf("%s/%s/opset=%d", filepath.Base(c.model), cmp.Or(c.attention, onnxops.AttentionStandard), c.opset), func(t *testing.T) {
			t.Parallel()
			wantComplete(t, verified(t, c.write(t), verify.Options{}), cmp.Or(c.attention, onnxops.AttentionStandard), noGolden, present)
		})
	}
}

// TestDamagedTranspose: a copy that is not its tensor's transpose fails the check of
// weights, which says where.
func TestDamagedTranspose(t *testing.T) {
	c := conversion{model: "golden/llama-gqa", to: "rope", linear: onnxops.LinearMatMul, maxLength: 128}
	for _, tt := range []struct {
		damage func(t *testing.T, dir string, weight *onnxpb.TensorProto)
		want   string
	}{
		{func(t *testing.T, dir string, w *onnxpb.TensorProto) { w.Dims[0], w.Dims[1] = w.Dims[1], w.Dims[0] }, "as [96 64]: expected [64 96]"},
		{func(t *testing.T, dir string, w *onnxpb.TensorProto) { w.DataType = int32(onnxpb.TensorProto_INT32) }, "as INT32: expected FLOAT"},
		{func(t *testing.T, dir string, w *onnxpb.TensorProto) { w.Name = "model.layers.1.mlp.up_proj.weight^T" }, "is not the checkpoint's at row 0, column 0"},
		{func(t *testing.T, dir string, w *onnxpb.TensorProto) { // as stored
			const size = 4 * 64 * 96
			path := filepath.Join(dir, onnxops.DataFile)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, offset, _ := run.External(w)
			numbers := append([]byte(nil), data[offset:offset+size]...)
			for i := range 96 {
				for j := range 64 {
					copy(data[offset+int64(4*(i*64+j)):][:4], numbers[4*(j*96+i):])
				}
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "is not the checkpoint's at row 1, column 0"},
	} {
		dir := c.write(t)
		path := filepath.Join(dir, onnxops.ModelFile)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(raw, m); err != nil {
			t.Fatal(err)
		}
		const name = "model.layers.0.mlp.up_proj.weight^T"
		i := slices.IndexFunc(m.GetGraph().GetInitializer(), func(w *onnxpb.TensorProto) bool { return w.GetName() == name })
		if i < 0 {
			t.Fatalf("no %s", name)
		}
		tt.damage(t, dir, m.Graph.Initializer[i])
		for _, n := range m.GetGraph().GetNode() { // renamed along
			for k, in := range n.GetInput() {
				if in == name {
					n.Input[k] = m.Graph.Initializer[i].Name
				}
			}
		}
		if raw, err = proto.Marshal(m); err == nil {
			err = os.WriteFile(path, raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := verified(t, dir, verify.Options{Tokens: 8})
		if found, _ := find(r, "weights", "ref"); found.Verdict != verify.Fail || !strings.Contains(found.Detail, tt.want) {
			t.Errorf("weights: %s %s, expected %q in it", found.Verdict, found.Detail, tt.want)
		}
	}
}
