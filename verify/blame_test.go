package verify

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestBlame: who is to blame for a failed check follows from the others.
func TestBlame(t *testing.T) {
	pass := func(name, runner string) Check { return Check{Name: name, Runner: runner, Verdict: Pass} }
	fail := func(name, runner string) Check { return Check{Name: name, Runner: runner, Verdict: Fail} }
	tables := fail("tables", "interp")
	tables.Blame = "the tables"
	for _, c := range []struct {
		name, check, runner string
		made                []Check
		want                string
	}{
		{"ort alone", "prefill", "ort-cpu", []Check{pass("prefill", "interp")}, "a matter of ONNX Runtime 9.9 (optimisation level all)"},
		{"cuda alone", "decode", "ort-cuda", []Check{pass("decode", "interp")}, "a matter of ONNX Runtime"},
		{"both", "prefill", "ort-cpu", []Check{fail("prefill", "interp")}, "the emission is wrong"},
		{"interp", "prefill", "interp", nil, "ref and the graph disagree in float64: the emission is wrong"},
		{"tables", "prefill", "interp", []Check{tables}, "the tables; see the check tables"},
		{"cache", "decode", "interp", []Check{pass("prefill", "interp")}, "where past meets present"},
		{"cache of ort", "chunked-prefill", "ort-cpu", []Check{pass("prefill", "ort-cpu"), fail("chunked-prefill", "interp")}, "where past meets present"},
		{"padding", "left-padding", "interp", []Check{pass("prefill", "interp")}, "attention_mask"},
		{"far", "far-positions", "interp", []Check{pass("prefill", "interp")}, "far end"},
		{"ref", "decode", "ref", nil, "a fault of pecvt"},
		{"golden of ref", "golden", "ref", nil, "the given file"},
		{"golden of all", "golden", "interp", []Check{fail("golden", "ref"), pass("prefill", "interp")}, "ref gives the same other answer"},
		{"golden of a wrong graph", "golden", "interp", []Check{pass("golden", "ref"), fail("prefill", "interp")}, "the emission is wrong"},
		{"golden of ort alone", "golden", "ort-cpu", []Check{pass("golden", "ref"), pass("golden", "interp")}, "a matter of ONNX Runtime"},
	} {
		s := &session{info: &graphInfo{Model: &onnxpb.ModelProto{}}, opts: Options{OptLevel: "all"}, report: &Report{Runtime: "9.9", Checks: c.made}}
		if got := s.blame(c.check, c.runner); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", c.name, got, c.want)
		}
	}
}

func TestReasonSaysTheRunnerOnce(t *testing.T) {
	for runner, text := range map[string]string{"interp": "interp: node", "ort-cpu": "ort: node", "ort-cuda": "ort: node", "ref": "ref: node"} {
		if got := reason(runner, errors.New(text)); got != "node" {
			t.Errorf("%s: %q", runner, got)
		}
	}
}
