package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

const fixtures = "../testdata"

// conversion is one way from a bundled checkpoint to a folder that can be
// run.
type conversion struct {
	model     string // below testdata
	to        string
	scale     string
	layout    string
	layers    string
	attention string
	placement string
	linear    string
	cache     string
	bias      string
	portable  bool
	opset     int
	maxLength int
	hash      bool
	// extend and queryScale are those of --extend and --query-scale
	extend     int
	queryScale float64
}

// scaled is the conversion to four times the length, of queries scaled by position; with
// 0 it is as it was.
func (c conversion) scaled(beta float64) conversion {
	if beta != 0 {
		c.extend, c.queryScale = 4, beta
	}
	return c
}

// write converts and emits into a fresh folder. Weights are copied: tests
// damage them.
func (c conversion) write(t testing.TB) string {
	t.Helper()
	dir, err := c.try(t)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// try is write for a conversion that may be refused.
func (c conversion) try(t testing.TB) (string, error) {
	t.Helper()
	scale, err := posenc.ParseScale(c.scale)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	o := convert.Options{To: c.to, Scale: scale, Extend: c.extend, QueryScale: c.queryScale, Layout: c.layout, Layers: c.layers, Output: out, Copy: true, Hash: c.hash, ToolVersion: "test"}
	plan, err := convert.NewPlan(filepath.Join(fixtures, c.model), o)
	if err != nil {
		return "", err
	}
	if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return out, c.emit(out)
}

// emit writes the graph of the checkpoint in dir.
func (c conversion) emit(dir string) error {
	if c.maxLength == 0 {
		c.maxLength = 600 // some rows past the longest prompt
	}
	_, err := onnxops.Emit(dir, onnxops.Options{Attention: c.attention, Placement: c.placement, Linear: c.linear, Cache: c.cache, Bias: c.bias, Portable: c.portable, Opset: c.opset, MaxLength: c.maxLength, Version: "test"})
	return err
}

// runtimePresent tells whether ONNX Runtime takes part. Where it does not,
// verdicts are incomplete instead of pass; with PECVT_REQUIRE_ORT=1 it must.
func runtimePresent(t testing.TB) bool {
	t.Helper()
	_, err := ort.Load("")
	if err != nil && os.Getenv(orttest.EnvRequire) == "1" {
		t.Fatalf("%s=1: %v", orttest.EnvRequire, err)
	}
	if err != nil {
		t.Logf("the Go runners alone are checked: %v", err)
	}
	return err == nil
}

// verified verifies a folder that can be.
//
// ONNX Runtime computes with one thread, where o asks for no other number: tests
// run side by side, and the threads that a session adds spin while they wait, a
// third of all time spent. TestBisectOfTheRuntime leaves it to the runtime.
func verified(t testing.TB, dir string, o verify.Options) *verify.Report {
	t.Helper()
	if o.Threads == 0 {
		o.Threads = 1
	}
	r, err := verify.Verify(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// find returns a check of a report.
func find(r *verify.Report, name, runner string) (verify.Check, bool) {
	for _, c := range r.Checks {
		if c.Name == name && c.Runner == runner {
			return c, true
		}
	}
	return verify.Check{}, false
}

// sound wants a report without a fault: with the runtime a pass, without it nothing
// that failed, is open or broke off.
func sound(t *testing.T, r *verify.Report) {
	t.Helper()
	if want := verify.Pass; runtimePresent(t) && r.Verdict != want {
		t.Errorf("verdict %s: want %s", r.Verdict, want)
	}
	for _, c := range r.Checks {
		if c.Verdict == verify.Fail || c.Verdict == verify.Ambiguous || c.Verdict == verify.Incomplete {
			t.Errorf("%s, %s: %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
		}
	}
}

// answered wants the golden's logits compared with what pecvt itself computes.
func answered(t *testing.T, r *verify.Report) {
	t.Helper()
	for _, runner := range []string{"ref", "interp"} {
		if g, ok := find(r, "golden", runner); !ok || g.Verdict != verify.Pass {
			t.Errorf("the golden's logits were not compared with %s", runner)
		}
	}
}
