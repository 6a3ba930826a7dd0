package verify

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// limit = min(max(c e, floor), cap), and what is said of each.
func TestMeasuredBudget(t *testing.T) {
	u := math.Ldexp(1, -24)
	for _, c := range []struct {
		name     string
		bias     string
		baseline float64
		limit    float64
		why      string
		ill      bool
	}{
		{"lucky", "", 0, 64 * u, "the floor", false},
		{"below the floor", "mask", 7.9 * u, 64 * u, "the floor", false},
		{"above the floor", "", 10 * u, 80 * u, "8 × the error of a plain float32 run of the source", false},
		{"lowered", "lowered", 10 * u, 512 * u, "the floor", false},
		{"lowered in some layers", "lowered and mask", 100 * u, 800 * u, "8 ×", false},
		{"large", "", 1e-4, 8e-4, "8 ×", false},
		{"at the cap", "", 1.25e-4, 1e-3, "8 ×", false},
		{"past the cap", "", 2e-4, 1e-3, "ill-conditioned in float32: a plain run of it is off by 0.0002", true},
		{"overflow", "", math.Inf(1), 1e-3, "overflows", true},
		{"not a number", "", math.NaN(), 1e-3, "overflows", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &onnxpb.ModelProto{}
			if c.bias != "" {
				m.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: "pecvt.bias", Value: c.bias}}
			}
			s := &session{info: &run.GraphInfo{Model: m}, report: &report.Report{}}
			got := s.measured(report.Float32, "prompt", "source", c.baseline)
			if math.Abs(float64(got.Limit)-c.limit) > 1e-12 || !strings.Contains(got.Why, c.why) {
				t.Errorf("limit %g, %q: want %g, %q", float64(got.Limit), got.Why, c.limit, c.why)
			}
			ort, float64s := named("ort-cpu"), named("interp")
			if said := s.beyondCap("decode", ort, want{from: run.RefName}); (said != "") != c.ill {
				t.Errorf("of a failure: %q", said)
			}
			if said := s.beyondCap("decode", float64s, want{from: run.RefName}); said != "" {
				t.Errorf("of a float64 runner's failure: %q", said)
			}
			if len(s.report.Tolerances) != 1 || (len(s.report.Warnings) == 1) != c.ill {
				t.Errorf("report: %v %v", s.report.Tolerances, s.report.Warnings)
			}
		})
	}
}

// Whose error takes part in a comparison decides the limit.
func TestBudgetParts(t *testing.T) {
	s := &session{info: &run.GraphInfo{Model: &onnxpb.ModelProto{}}, report: &report.Report{}}
	s.measured(report.Float32, "prompt", "checkpoint", 1e-5)
	s.measured(report.Float32, "golden", "checkpoint", 2e-5)
	ort, interp := named("ort-cuda"), named("interp")
	for _, c := range []struct {
		check string
		r     run.Runner
		from  string
		want  float64
	}{
		{"prefill", interp, "ref", 0.5},
		{"prefill", ort, "ref", 8e-5},
		{"decode", ort, "ref", 8e-5},
		{"golden", interp, "golden", 16e-5},
		{"golden", ort, "golden", 32e-5},
	} {
		got, err := s.budget(c.check, c.r, want{from: c.from}, 0.5, nil)
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s of %s against %s: limit %g (%v), want %g", c.check, c.r.Name(), c.from, got, err, c.want)
		}
	}
}

// named is a runner of which a test needs no more than who it is.
func named(name string) run.Runner { return &namedRunner{name: name} }

type namedRunner struct {
	run.Runner
	name string
}

func (r *namedRunner) Name() string { return r.name }

func (r *namedRunner) Arithmetic() report.Arithmetic {
	if r.name == run.RefName || r.name == run.InterpName {
		return report.Float64
	}
	return report.Float32
}

func (r *namedRunner) Describe() string { return "ONNX Runtime 9.9 (optimisation level all)" }

func (r *namedRunner) Tap(context.Context, run.Input, run.State, []string, func(string, *interp.Array) error) (*report.Logits, run.State, error) {
	return nil, nil, errors.New("not in this test")
}

// The reference is not excused by what rounding does to it: it must not contradict
// itself.
func TestNoRoundingOfTheReference(t *testing.T) {
	s := &session{ref: &run.Ref{}}
	text, err := s.rounding(s.ref, want{from: run.RefName}, nil, func(run.Runner) (*report.Logits, error) {
		t.Error("the reference with rounded constants is asked")
		return nil, errors.New("asked")
	})
	if text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
