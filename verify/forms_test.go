package verify_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/verify"
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
				r := verified(t, c.write(t), verify.Options{Tokens: 24, Golden: golden})
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

// TestOldGroupQueryAttention: ONNX Runtime's own operator in the oldest operator set.
func TestOldGroupQueryAttention(t *testing.T) {
	present := runtimePresent(t)
	c := conversion{model: "golden/llama-gqa", to: "hope", attention: onnxops.AttentionORT, opset: lower.Oldest}
	wantComplete(t, verified(t, c.write(t), verify.Options{}), onnxops.AttentionORT, noGolden, present)
}
