package verify_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// TestEveryRowIsMade: each row of the table of checks is a line of some report.
func TestEveryRowIsMade(t *testing.T) {
	present := runtimePresent(t)
	source := filepath.Join(fixtures, "golden/llama-gqa")
	hashed := filepath.Join(t.TempDir(), "out")
	plan, err := convert.NewPlan(source, convert.Options{To: "hope", Output: hashed, Copy: true, Hash: true, ToolVersion: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := (conversion{to: "hope"}).emit(hashed); err != nil {
		t.Fatal(err)
	}
	faulty := hopeLlama.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		attribute(t, g.node(t, "/layers.1/mlp_norm/RMSNormalization"), "epsilon").F = 1e-2
	})(t, faulty)
	repro, _ := extracted(t, faulty)
	made := map[string]bool{}
	for _, r := range []*verify.Report{
		verified(t, hashed, verify.Options{Against: source, Golden: filepath.Join(source, "golden/hope.safetensors"), Provider: "cpu", OptLevel: "all"}),
		verified(t, conversion{model: "golden/llama-gqa", to: "rope", attention: onnxops.AttentionORT}.write(t), verify.Options{ORTLibrary: noLibrary}),
		verified(t, conversion{model: "golden/llama-gqa", to: "grape-m:basis"}.write(t), verify.Options{ORTLibrary: noLibrary}),
		verified(t, windowed(t, 700, 800, onnxops.AttentionStandard), verify.Options{ORTLibrary: noLibrary}),
		verified(t, hashed, verify.Options{Layers: []int{0}, ORTLibrary: noLibrary}),
		verified(t, repro, verify.Options{ORTLibrary: noLibrary}),
		verified(t, emittedAs(t, "golden/llama-gqa", onnxops.DTypeFloat16, onnxops.Options{MaxLength: 64}), verify.Options{ORTLibrary: noLibrary}),
		verified(t, lastOnly(t, "golden/llama-gqa", onnxops.Options{}), verify.Options{ORTLibrary: noLibrary}),
		verified(t, rounded(t, "golden/llama-gqa", rounding{weights: onnxops.WeightsInt4, accuracy: onnxops.AccuracyInt8}), verify.Options{Provider: "cpu", OptLevel: "all"}),
	} {
		for _, c := range r.Checks {
			name, _, _ := strings.Cut(c.Name, ".")
			made[name] = true
		}
	}
	for _, k := range verify.Checks() {
		if !made[k.Name] && (present || k.Name != "placement" && k.Name != "rounded-inputs") {
			t.Errorf("no report has the check %s", k.Name)
		}
	}
}
