package verify

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// TestBlame: who is to blame for a failed check follows from the others.
func TestBlame(t *testing.T) {
	pass := func(name, runner string) report.Check {
		return report.Check{Name: name, Runner: runner, Verdict: report.Pass}
	}
	fail := func(name, runner string) report.Check {
		return report.Check{Name: name, Runner: runner, Verdict: report.Fail}
	}
	tables := fail("tables", "interp")
	tables.Blame = "the tables"
	for _, c := range []struct {
		name, check, runner string
		made                []report.Check
		want                string
	}{
		{"ort alone", "prefill", "ort-cpu", []report.Check{pass("prefill", "interp")}, "a matter of ONNX Runtime 9.9 (optimisation level all)"},
		{"cuda alone", "decode", "ort-cuda", []report.Check{pass("decode", "interp")}, "a matter of ONNX Runtime"},
		{"both", "prefill", "ort-cpu", []report.Check{fail("prefill", "interp")}, "the emission is wrong"},
		{"interp", "prefill", "interp", nil, "ref and the graph disagree in float64: the emission is wrong"},
		{"tables", "prefill", "interp", []report.Check{tables}, "the tables; see the check tables"},
		{"cache", "decode", "interp", []report.Check{pass("prefill", "interp")}, "where past meets present"},
		{"cache of ort", "chunked-prefill", "ort-cpu", []report.Check{pass("prefill", "ort-cpu"), fail("chunked-prefill", "interp")}, "where past meets present"},
		{"padding", "left-padding", "interp", []report.Check{pass("prefill", "interp")}, "attention_mask"},
		{"far", "far-positions", "interp", []report.Check{pass("prefill", "interp")}, "far end"},
		{"ref", "decode", "ref", nil, "a fault of pecvt"},
		{"golden of ref", "golden", "ref", nil, "the given file"},
		{"golden of all", "golden", "interp", []report.Check{fail("golden", "ref"), pass("prefill", "interp")}, "ref gives the same other answer"},
		{"golden of a wrong graph", "golden", "interp", []report.Check{pass("golden", "ref"), fail("prefill", "interp")}, "the emission is wrong"},
		{"golden of ort alone", "golden", "ort-cpu", []report.Check{pass("golden", "ref"), pass("golden", "interp")}, "a matter of ONNX Runtime"},
	} {
		s := &session{info: &run.GraphInfo{Model: &onnxpb.ModelProto{}}, opts: Options{OptLevel: "all"}, others: []run.Runner{named("interp")}, report: &report.Report{Checks: c.made}}
		if got := s.blame(c.check, named(c.runner)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", c.name, got, c.want)
		}
	}
}

func TestReasonSaysTheRunnerOnce(t *testing.T) {
	for runner, text := range map[string]string{"interp": "interp: node", "ort-cpu": "ort: node", "ort-cuda": "ort: node", "ref": "ref: node"} {
		if got := run.Reason(runner, errors.New(text)); got != "node" {
			t.Errorf("%s: %q", runner, got)
		}
	}
}
