package verify_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// TestLearnedBiases: biases as training leaves them, beside a rotation, are emitted in
// every form that they have and verified by all runners against another program's
// logits.
func TestLearnedBiases(t *testing.T) {
	present := runtimePresent(t)
	for name, lowers := range map[string]bool{
		"llama-alibi": true, "llama-grape-a": true, "llama-grape-a-key": true, "llama-grape-a-query": true, "llama-fox": true, "llama-basis-fox": true, "qwen3-grape-a": true, "llama-plain-grape-a-query-scaled": true,
		"llama-grape-ap": false, "llama-kerple-log": false, "llama-kerple-power": false, "llama-mixed-kerple-log": false,
	} {
		for _, form := range []string{onnxops.BiasMask, onnxops.BiasLowered} {
			t.Run(name+"/"+form, func(t *testing.T) {
				t.Parallel()
				dir := familytest.Learned(t, fixtures, name)
				_, err := onnxops.Emit(dir, onnxops.Options{Bias: form, MaxLength: 300, Version: "test"})
				if form == onnxops.BiasLowered && !lowers {
					if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "has no form as extra coordinates") {
						t.Errorf("error %v, want one of the lowered form", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				r := verified(t, dir, verify.Options{Golden: filepath.Join(fixtures, "learned", name, "golden.safetensors")})
				for _, c := range r.Checks {
					if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete && present {
						t.Errorf("%s of %s: %s: %s (off by %v, limit %v)", c.Name, c.Runner, c.Verdict, c.Detail, c.MaxRel, c.Limit)
					}
				}
				if c, ok := find(r, "law-gates", "interp"); !ok || c.Verdict != verify.Pass || c.Positions == 0 {
					t.Errorf("law-gates: %v, %s %s", ok, c.Verdict, c.Detail)
				}
			})
		}
	}
}

// TestBiasesOfTheStream: where no norm stands before a layer, gates read the embedding
// itself, and in a graph of 16 bits its numbers as they were.
func TestBiasesOfTheStream(t *testing.T) {
	runtimePresent(t)
	for _, dtype := range []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16} {
		for _, to := range []string{"hybrid:fox", "hybrid:grape-ap"} {
			t.Run(to+"/"+dtype, func(t *testing.T) {
				t.Parallel()
				dir := rewritten(t, filepath.Join(fixtures, "golden", "olmo2"), rewrite.Options{To: to, Slope: "0.3"}, rewrite.Lossy)
				if _, err := onnxops.Emit(dir, onnxops.Options{DType: dtype, MaxLength: 300, Version: "test"}); err != nil {
					t.Fatal(err)
				}
				r := verified(t, dir, verify.Options{})
				for _, c := range r.Checks {
					if c.Verdict == verify.Fail {
						t.Errorf("%s of %s: %s", c.Name, c.Runner, c.Detail)
					}
				}
				if c, ok := find(r, "types", "interp"); !ok || c.Verdict != verify.Pass {
					t.Errorf("types: %v, %s %s", ok, c.Verdict, c.Detail)
				}
			})
		}
	}
}

// TestHybridsOfFamilies: a bias beside the rotation of families with windows, sinks,
// latents, caps and layers without attention. At nothing it changes no logit, and with
// slopes the graph is the reference's; what a graph cannot hold is refused by its name.
func TestHybridsOfFamilies(t *testing.T) {
	present := runtimePresent(t)
	for _, c := range []struct{ family, to, form, refused string }{
		{"mistral", "hybrid:kerple:power", "", ""},
		{"gpt_oss", "hybrid:kerple:power", "", ""}, // sinks, windows
		{"gpt_oss", "hybrid:fox", "", ""},
		{"gpt_oss", "hybrid:grape-a:query", "", ""},
		{"gpt_oss", "hybrid:alibi", "", ""},
		{"gpt_oss", "hybrid:alibi", onnxops.BiasMask, ""},
		{"mimo_v2_flash", "hybrid:grape-a:query,key", "", ""}, // sinks, windows, values of another size
		{"gemma3_text", "hybrid:fox", "", ""},
		{"cohere2", "hybrid:kerple:power", "", ""}, // layers without rotation
		{"lfm2", "hybrid:grape-ap", "", ""},        // layers without attention
		{"gemma2", "hybrid:kerple:power", "", "a bias beside a cap on scores"},
		{"gemma4_text", "hybrid:fox", "", "layer 2 reads the keys and values of layer"}, // before anything is written
		{"deepseek_v3", "hybrid:grape-a:query", "", ""},
		{"deepseek_v3", "hybrid:grape-a:query,key", onnxops.BiasMask, ""},
	} {
		t.Run(c.family+"/"+c.to+c.form, func(t *testing.T) {
			t.Parallel()
			source := filepath.Join(fixtures, "families", c.family)
			if _, err := os.Stat(source); err != nil {
				source = filepath.Join(fixtures, "golden", c.family)
			}
			ids := tokens(t, source, 12)
			for _, row := range ids {
				for i := range row {
					row[i] %= 64 // the least vocabulary
				}
			}
			want := logits(t, source, ids, func(*family.Model) {})
			if strings.Contains(c.refused, "keys and values of layer") {
				_, err := convert.NewPlan(source, convert.Options{Output: filepath.Join(t.TempDir(), "out")}.With(rewrite.Options{To: c.to}))
				if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), c.refused) {
					t.Errorf("error %v, want %q", err, c.refused)
				}
				return
			}
			if drift := apart(t, logits(t, rewritten(t, source, rewrite.Options{To: c.to}, rewrite.Exact), ids, func(*family.Model) {}), want); !(drift <= exactLimit) {
				t.Errorf("at nothing: drift %.3g", drift)
			}
			length := 300
			if c.to == "hybrid:alibi" { // positions of two digits
				length = 2048
			}
			dir := rewritten(t, source, rewrite.Options{To: c.to, Slope: "0.3"}, rewrite.Lossy)
			_, err := onnxops.Emit(dir, onnxops.Options{Bias: c.form, MaxLength: length, Version: "test"})
			if c.refused != "" {
				if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), c.refused) {
					t.Errorf("error %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range verified(t, dir, verify.Options{Against: source}).Checks {
				if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete && present {
					t.Errorf("%s of %s: %s: %s (off by %v, limit %v)", c.Name, c.Runner, c.Verdict, c.Detail, c.MaxRel, c.Limit)
				}
			}
		})
	}
}
