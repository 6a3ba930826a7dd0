package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// TestZeroOptions: what a Go program writes without choosing anything but the
// encoding is proven by a verification without choices.
func TestZeroOptions(t *testing.T) {
	want := verify.Pass
	if !runtimePresent(t) {
		want = verify.Incomplete
	}
	for _, to := range []string{"hope", "hybrid", "grape-m"} {
		out := filepath.Join(t.TempDir(), "out")
		plan, err := convert.NewPlan(filepath.Join(fixtures, "golden", "llama-gqa"), convert.Options{To: to, Output: out})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Run(context.Background(), plan, convert.RunOptions{Finish: onnxops.Finish(onnxops.Options{})}); err != nil {
			t.Fatal(err)
		}
		if r := verified(t, out, verify.Options{}); r.Verdict != want {
			t.Errorf("%s: %s, want %s", to, r.Verdict, want)
			r.WriteText(os.Stdout)
		}
	}
}
