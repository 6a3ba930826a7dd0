package verify_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify"
)

// TestSelectionVerifies: graphs of selected planes, per head and for the whole
// model, agree with the reference.
func TestSelectionVerifies(t *testing.T) {
	for _, by := range []retrofit.Granularity{retrofit.ByGroup, retrofit.ByLayer, retrofit.ByModel} {
		source := filepath.Join(fixtures, "golden/llama-gqa")
		ckpt, err := safetensors.OpenCheckpoint(source)
		if err != nil {
			t.Fatal(err)
		}
		defer ckpt.Close()
		m, err := family.Load(ckpt)
		if err != nil {
			t.Fatal(err)
		}
		turns, err := retrofit.Turns(m)
		if err != nil {
			t.Fatal(err)
		}
		costs := &retrofit.Costs{Planes: []int{3, 5, 6}, Cost: [][][]float64{{{1, 5, 2}, {4, 3, 6}}, {{9, 7, 8}, {.5, .4, .1}}}}
		s, err := retrofit.Select(context.Background(), costs, turns, nil, retrofit.SelectOptions{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: .5}, Granularity: by})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		plan, err := convert.NewPlan(source, convert.Options{Options: rewrite.Options{To: "hope"}, Retrofit: &convert.Retrofit{Selection: s}, Output: out, Copy: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := (conversion{to: "hope"}).emit(out); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Verify(context.Background(), out, verify.Options{Against: source})
		if err != nil {
			t.Fatal(err)
		}
		want := verify.Pass
		if !runtimePresent(t) {
			want = verify.Incomplete
		}
		if r.Verdict != want {
			t.Errorf("by %s: %s", by, r.Verdict)
		}
	}
}
