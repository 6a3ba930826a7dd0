package verify_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ref"
)

var _ retrofit.Walk = (*ref.Walk)(nil)

// TestSelectAndCalibrate goes the whole way on a trained model: costs, a
// selection, a calibration of what is left, the written checkpoint, its graph.
func TestSelectAndCalibrate(t *testing.T) {
	source := filepath.Join(fixtures, "models/stories260K")
	ckpt, err := safetensors.OpenCheckpoint(source)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, text := context.Background(), tokens(t, source, 256)[0]
	turns, err := retrofit.Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	planes, err := retrofit.Below(turns, m.Rope.Base(), posenc.Cut{}, m.TrainedLength)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := retrofit.MeasureCosts(ctx, m, ckpt, ref.NewWalk(m, ckpt), [][]int64{text}, planes, retrofit.CostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := retrofit.Select(ctx, costs, turns, nil, retrofit.SelectOptions{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: .75}})
	if err != nil {
		t.Fatal(err)
	}
	o := convert.Options{To: "hope", Spectra: s.Spectra(), Output: filepath.Join(t.TempDir(), "out"), Copy: true}
	made, err := rewrite.Make(m, ckpt, o.Rewrite())
	if err != nil {
		t.Fatal(err)
	}
	students, err := convert.Students(m, made)
	if err != nil {
		t.Fatal(err)
	}
	c, err := retrofit.Calibrate(ctx, m, ckpt, ref.NewWalk(m, ckpt), students, retrofit.Sequences(text, 128, 256), retrofit.CalibrateOptions{Steps: 8, Rows: 32, Rate: .003, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Files) < 3 {
		t.Errorf("%d layers of 5 kept: %+v", len(c.Files), c.Layers)
	}
	o.Tuning = &convert.Tuning{Selection: s, Calibration: c}
	plan, err := convert.NewPlan(source, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := convert.Run(ctx, plan, convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := (conversion{to: "hope"}).emit(o.Output); err != nil {
		t.Fatal(err)
	}
	r, err := verify.Verify(ctx, o.Output, verify.Options{Against: source})
	if err != nil {
		t.Fatal(err)
	}
	want := verify.Pass
	if !runtimePresent(t) {
		want = verify.Incomplete
	}
	if r.Verdict != want {
		t.Errorf("verdict %s", r.Verdict)
	}
}

// TestCalibrateOlmo2: no norm before attention, and queries and keys normalised
// over all heads. The gradients are checked in convert/retrofit.
func TestCalibrateOlmo2(t *testing.T) {
	source := filepath.Join(fixtures, "golden/olmo2")
	ckpt, err := safetensors.OpenCheckpoint(source)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	made, err := rewrite.Make(m, ckpt, rewrite.Options{To: "hope"})
	if err != nil {
		t.Fatal(err)
	}
	students, err := convert.Students(m, made)
	if err != nil {
		t.Fatal(err)
	}
	text := tokens(t, source, 2048)[0]
	c, err := retrofit.Calibrate(context.Background(), m, ckpt, ref.NewWalk(m, ckpt), students, retrofit.Sequences(text, 64, 2048), retrofit.CalibrateOptions{Steps: 40, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.Layers {
		t.Logf("layer %d: KL %.4f, %.4f after", l.Layer, l.Before, l.After)
		if !l.Kept || l.After > .95*l.Before {
			t.Errorf("layer %d: KL %v before and %v after", l.Layer, l.Before, l.After)
		}
	}
}

// TestSelectionVerifies: graphs of selected planes, per head and for the whole
// model, agree with the reference.
func TestSelectionVerifies(t *testing.T) {
	for _, c := range []struct {
		by    retrofit.Granularity
		scale posenc.Scale
	}{
		{by: retrofit.ByGroup}, {by: retrofit.ByLayer}, {by: retrofit.ByModel},
		{retrofit.ByGroup, posenc.Scale{Kind: "yarn", Factor: 2}}, {retrofit.ByModel, posenc.Scale{Kind: "yarn", Factor: 2}},
	} {
		by := c.by
		source := filepath.Join(fixtures, "golden/llama-gqa")
		ckpt, err := safetensors.OpenCheckpoint(source)
		if err != nil {
			t.Fatal(err)
		}
		defer ckpt.Close()
		m, err := families.Load(ckpt)
		if err != nil {
			t.Fatal(err)
		}
		turns, err := convert.ScaledTurns(m, rewrite.Options{Scale: c.scale})
		if err != nil {
			t.Fatal(err)
		}
		costs := &retrofit.Costs{Planes: []int{3, 5, 6}, Cost: [][][]float64{{{1, 5, 2}, {4, 3, 6}}, {{9, 7, 8}, {.5, .4, .1}}}}
		s, err := retrofit.Select(context.Background(), costs, turns, nil, retrofit.SelectOptions{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: .5}, Granularity: by})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		plan, err := convert.NewPlan(source, convert.Options{To: "hope", Scale: c.scale, Tuning: &convert.Tuning{Selection: s}, Output: out, Copy: true})
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
			t.Errorf("by %s%s: %s", by, c.scale, r.Verdict)
		}
		replaceIn(t, filepath.Join(out, "pecvt.json"), `"dropped": [`, `"dropped": [{"layer": 0, "group": 0, "plane": 1},`)
		if r, err = verify.Verify(context.Background(), out, verify.Options{Against: source}); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(r, "rewrite")["ref"]; got != verify.Fail {
			t.Errorf("by %s, with a plane more in the manifest: rewrite is %s", by, got)
		}
		if c.scale.Kind == "" {
			continue
		}
		replaceIn(t, filepath.Join(out, "pecvt.json"), `"dropped": [{"layer": 0, "group": 0, "plane": 1},`, `"dropped": [`)
		asked := "\"scale\": \"yarn:%d\",\n    \"layout\": \"native\",\n    \"spelling\": \"auto\"" // of the two, the flags' own
		replaceIn(t, filepath.Join(out, "pecvt.json"), fmt.Sprintf(asked, 2), fmt.Sprintf(asked, 3))
		if r, err = verify.Verify(context.Background(), out, verify.Options{Against: source}); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(r, "rewrite")["ref"]; got != verify.Fail {
			t.Errorf("by %s, with another scaling in the manifest: rewrite is %s", by, got)
		}
	}
}
