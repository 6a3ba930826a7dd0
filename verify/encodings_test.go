package verify_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// TestEncodings emits every golden model beyond llama's shape in each form that
// its bias has, and verifies it: the golden's logits, and prefill, chunks, decode
// and padding against the reference.
func TestEncodings(t *testing.T) {
	present := runtimePresent(t)
	for _, tt := range []struct {
		model   string
		lowered bool // there is a bias, and it has a lowered form
		mask    bool // there is a bias
	}{
		{"gpt-neox", false, false},
		{"bloom", true, true},
		{"bloom-6heads", true, true},
		{"mpt", true, true},
		{"falcon-alibi", true, true},
		{"grape-rope", false, false},
		{"grape-alibi", true, true},
		{"grape-fox", true, true},
		{"grape-m-nonctx", false, false},
		{"grape-m-nonctx-shared", false, false},
		{"grape-m-ctx", false, false},
		{"grape-a-querygated", true, true},
		{"grape-a-keygated", true, true},
		{"grape-a-querykeygated", true, true},
		{"grape-ap-v1", false, true},
		{"grape-ap-v1-kvshift", false, true},
		{"grape-ap-v1-pktie", false, true},
	} {
		forms := []string{onnxops.BiasAuto}
		if tt.mask {
			forms = []string{onnxops.BiasLowered, onnxops.BiasMask}
		}
		for _, form := range forms {
			// one digit of the positions, and two
			for _, length := range []int{600, 131072} {
				t.Run(fmt.Sprintf("%s/%s/%d", tt.model, form, length), func(t *testing.T) {
					t.Parallel()
					dir, err := exportGolden(t, tt.model, onnxops.Options{Bias: form, MaxLength: length, Version: "test"})
					if form == onnxops.BiasLowered && !tt.lowered {
						if !errors.Is(err, posenc.ErrUnsupported) {
							t.Errorf("error %v: want a refusal", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					r := run(t, dir, verify.Options{Golden: filepath.Join(fixtures, "golden", tt.model, "golden.safetensors")})
					checks := 0
					for _, c := range r.Checks {
						if c.Verdict == verify.Fail {
							t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Detail, c.Blame)
						}
						if c.Verdict == verify.Pass && (c.Runner == "interp" || c.Runner == "ort-cpu") {
							checks++
						}
						t.Logf("%s of %s: %s %.2g", c.Name, c.Runner, c.Verdict, float64(c.MaxRel))
					}
					want := 8
					if present {
						want *= 2
					}
					if checks < want {
						t.Errorf("%d checks of the graph pass, want at least %d", checks, want)
					}
				})
			}
		}
	}
}

// exportGolden emits the graph of a golden model into a fresh folder.
func exportGolden(t *testing.T, model string, o onnxops.Options) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(fixtures, "golden", model, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := onnxops.Emit(dir, o)
	return dir, err
}
