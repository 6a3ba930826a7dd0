package verify_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/run"
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
		// far are the forms whose graph of the longest tables is verified too: one
		// model of each kind, and every form that has other nodes then. The rest are
		// the same nodes with longer tables (PECVT_LONG=1 verifies them as well).
		far string
	}{
		{"gpt-neox", false, false, "auto"},
		{"bloom", true, true, "lowered mask"},
		{"bloom-6heads", true, true, "lowered"},
		{"mpt", true, true, ""},
		{"falcon-alibi", true, true, "lowered mask"},
		{"grape-rope", false, false, ""},
		{"grape-alibi", true, true, ""},
		{"grape-fox", true, true, "lowered mask"},
		{"grape-m-nonctx", false, false, ""},
		{"grape-m-nonctx-shared", false, false, "auto"},
		{"grape-m-ctx", false, false, "auto"},
		{"grape-a-querygated", true, true, "lowered"},
		{"grape-a-keygated", true, true, "lowered"},
		{"grape-a-querykeygated", true, true, "lowered mask"},
		{"grape-ap-v1", false, true, ""},
		{"grape-ap-v1-kvshift", false, true, "mask lowered"},
		{"grape-ap-v1-pktie", false, true, ""},
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
					if far := length > 600 && os.Getenv("PECVT_LONG") != "1"; far && !slices.Contains(strings.Fields(tt.far), form) {
						near, e := exportGolden(t, tt.model, onnxops.Options{Bias: form, MaxLength: 600, Version: "test"})
						if err == nil && e == nil {
							sameNodes(t, near, dir)
							return
						}
					}
					if form == onnxops.BiasLowered && !tt.lowered {
						if !errors.Is(err, posenc.ErrUnsupported) {
							t.Errorf("error %v: want a refusal", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					level := ""
					if length > 600 {
						level = oneLevel() // the same operators, over longer tables
					}
					r := verified(t, dir, verify.Options{Golden: filepath.Join(fixtures, "golden", tt.model, "golden.safetensors"), OptLevel: level})
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

// sameNodes fails where two graphs have other nodes, functions or constants than
// each other, by their names, operators and edges.
func sameNodes(t *testing.T, a, b string) {
	t.Helper()
	list := func(dir string) (names []string) {
		data, err := os.ReadFile(filepath.Join(dir, run.GraphFile))
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		nodes := m.GetGraph().GetNode()
		for _, f := range m.GetFunctions() {
			nodes = append(nodes, f.GetNode()...)
		}
		for _, n := range nodes {
			names = append(names, fmt.Sprint(n.GetName(), n.GetOpType(), n.GetInput(), n.GetOutput(), n.GetAttribute()))
		}
		for _, c := range m.GetGraph().GetInitializer() {
			names = append(names, c.GetName())
		}
		return names
	}
	if diff := cmp.Diff(list(a), list(b)); diff != "" {
		t.Errorf("longer tables change the graph: it has to be verified (far):\n%s", diff)
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
