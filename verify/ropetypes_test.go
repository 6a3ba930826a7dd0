package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// ropeTypes has the parameters of one model for every row of posenc's table of
// rope types; llama-gqa has 8 planes and 32 trained positions.
var ropeTypes = map[string]string{
	"default":      ``,
	"linear":       `, "factor": 4.0`,
	"dynamic":      `, "factor": 4.0`,
	"yarn":         `, "factor": 4.0, "original_max_position_embeddings": 32`,
	"llama3":       `, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32`,
	"longrope":     `, "short_factor": [1, 1, 1, 1, 1, 1.5, 2, 2], "long_factor": [1, 1, 1.5, 2, 3, 4, 6, 8], "factor": 4.0, "original_max_position_embeddings": 32`,
	"proportional": `, "partial_rotary_factor": 0.75`,
}

// TestRopeTypes emits a model of every rope type and verifies it.
func TestRopeTypes(t *testing.T) {
	present := runtimePresent(t)
	for _, row := range posenc.RopeTypes() {
		parameters, ok := ropeTypes[row.Name]
		if !ok {
			t.Errorf("no model of rope type %q is emitted and verified: add its parameters to ropeTypes (verify/ropetypes_test.go)", row.Name)
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, "golden/llama-gqa"))); err != nil {
				t.Fatal(err)
			}
			replaceIn(t, filepath.Join(dir, "config.json"), `"rope_type": "default"`, `"rope_type": "`+row.Name+`"`+parameters)
			if err := os.RemoveAll(filepath.Join(dir, "golden")); err != nil {
				t.Fatal(err)
			}
			if _, err := onnxops.Emit(dir, onnxops.Options{MaxLength: 600, Version: "test"}); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{OptLevel: "all"})
			for _, c := range r.Checks {
				if c.Verdict == verify.Fail {
					t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Detail, c.Blame)
				}
			}
			for _, name := range []string{"tables", "rotation", "far-positions"} {
				if c, made := find(r, name, "interp"); !made || c.Verdict != verify.Pass {
					t.Errorf("%s: %s %s", name, c.Verdict, c.Detail)
				}
			}
			if present && r.Verdict != verify.Pass {
				t.Errorf("verdict %s: %s", r.Verdict, strings.Join(r.Warnings, "; "))
			}
		})
	}
}
