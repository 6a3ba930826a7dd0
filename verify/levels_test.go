package verify

import (
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// TestPlace: nodes are counted by provider, and those elsewhere are named.
func TestPlace(t *testing.T) {
	rows, stray := placed([]ort.NodeRun{
		{Node: "/a", Op: "Gemm", Provider: "CUDAExecutionProvider"},
		{Node: "/b", Op: "Gemm", Provider: "CUDAExecutionProvider"},
		{Node: "/c", Op: "Attention", Provider: "CPUExecutionProvider"},
	}, "CUDAExecutionProvider", "ort-cuda", "all")
	if len(rows) != 2 || rows[0].Provider != "CPUExecutionProvider" || rows[0].Nodes != 1 || rows[1].Nodes != 2 || rows[1].Ops["Gemm"] != 2 || rows[1].Level != "all" {
		t.Errorf("%+v", rows)
	}
	if len(stray) != 1 || !strings.Contains(stray[0], "/c (Attention, on CPUExecutionProvider)") {
		t.Errorf("%q", stray)
	}
	if _, stray := placed([]ort.NodeRun{{Node: "/a", Op: "Gemm", Provider: "CPUExecutionProvider"}}, "CPUExecutionProvider", "ort-cpu", "all"); len(stray) > 0 {
		t.Errorf("on the CPU as asked: %q", stray)
	}
}

// TestCompareLevels: a check that fails at one level alone is the level's fault.
func TestCompareLevels(t *testing.T) {
	s := &session{report: &report.Report{Checks: []report.Check{
		{Name: "prefill", Runner: "ort-cpu", Level: "all", Verdict: report.Fail, Blame: "a matter of ONNX Runtime"},
		{Name: "prefill", Runner: "ort-cpu", Level: "disabled", Verdict: report.Pass},
		{Name: "prefill", Runner: "ort-cpu", Level: "basic", Verdict: report.Pass},
		{Name: "decode", Runner: "ort-cpu", Level: "all", Verdict: report.Fail, Blame: "x"},
		{Name: "decode", Runner: "ort-cpu", Level: "disabled", Verdict: report.Fail, Blame: "x"},
	}}}
	s.compareLevels()
	if got := s.report.Checks[0].Blame; !strings.HasSuffix(got, "right at optimisation level disabled, basic: level all changes what the graph computes") {
		t.Errorf("blame %q", got)
	}
	for _, c := range s.report.Checks[3:] {
		if c.Blame != "x" {
			t.Errorf("blame %q of a check that no level gets right", c.Blame)
		}
	}
}

// TestSweep: where the position sweep ends its prompts.
func TestSweep(t *testing.T) {
	for _, tt := range []struct {
		trained, rows int
		want          []int
	}{
		{32, 600, []int{0, 1, 16, 31, 32, 64, 128, 256, 512, 599}},
		{512, 512, []int{0, 1, 256, 511}},
		{0, 100, []int{0, 1, 99}},
		{8, 1, []int{0}},
	} {
		got := sweep(tt.trained, tt.rows)
		if len(got) != len(tt.want) {
			t.Errorf("trained length %d, %d rows: %v, want %v", tt.trained, tt.rows, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("trained length %d, %d rows: %v, want %v", tt.trained, tt.rows, got, tt.want)
				break
			}
		}
	}
	for _, tt := range []struct {
		p, n  int
		leaps bool
		want  []int64
	}{{0, 4, true, []int64{0, 1, 2, 3}}, {9, 4, false, []int64{6, 7, 8, 9}}, {9, 4, true, []int64{0, 1, 8, 9}}, {3, 4, true, []int64{0, 1, 2, 3}}} {
		got := ending(tt.p, tt.n, tt.leaps)
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("ending(%d, %d, %v) = %v, want %v", tt.p, tt.n, tt.leaps, got, tt.want)
				break
			}
		}
	}
}

// TestTooClose: what float32 may turn is a near tie.
func TestTooClose(t *testing.T) {
	logits := func(x ...float64) *report.Logits { return &report.Logits{B: 1, S: 1, V: len(x), Data: x} }
	for _, tt := range []struct {
		l    *report.Logits
		want bool
	}{{logits(1, 2, 3), false}, {logits(1, 3-1e-7, 3), true}, {logits(1, 3, 3), false}, {logits(-3, -3-1e-7, -9), true}} {
		if got := tooClose(tt.l); got != tt.want {
			t.Errorf("%v too close: %v", tt.l.Data, got)
		}
	}
}
