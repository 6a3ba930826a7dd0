package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// supplied is a runner of nobody's kind: all that it can do is answer.
type supplied struct {
	run.Runner
	name  string
	in    report.Arithmetic
	wrong float64 // added to each logit of the vocabulary's first half
	open  bool
}

func (r *supplied) Name() string                  { return r.name }
func (r *supplied) Arithmetic() report.Arithmetic { return r.in }

func (r *supplied) Run(ctx context.Context, in run.Input, past run.State) (*report.Logits, run.State, error) {
	for _, row := range in.Positions {
		for _, p := range row {
			if p < 0 || p >= 600 {
				return nil, nil, errors.New("/guard/position_is_past_max_length: no such position")
			}
		}
	}
	l, after, err := r.Runner.Run(ctx, in, past)
	if err != nil {
		return nil, nil, err
	}
	for i := range l.Data {
		if i%l.V < l.V/2 {
			l.Data[i] += r.wrong
		}
	}
	return l, after, nil
}

func (r *supplied) Close() error {
	r.open = false
	return nil
}

// TestSuppliedRunners: a runner that the caller brings is judged by the limits of
// its arithmetic, and what it cannot do is skipped by name.
func TestSuppliedRunners(t *testing.T) {
	dir := hopeLlama.write(t)
	ckpt, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.AtLength(600); err != nil {
		t.Fatal(err)
	}
	plain := func(name string, wrong float64) *supplied {
		r, err := run.NewPlain(report.Float32, m, ckpt)
		if err != nil {
			t.Fatal(err)
		}
		return &supplied{Runner: r, name: name, in: report.Float32, wrong: wrong, open: true}
	}
	right, wrong := plain("other", 0), plain("wrong", 1e-2)
	exact := &supplied{Runner: run.NewRef(m, ckpt), name: "exact", in: report.Float64, open: true}
	r := verified(t, dir, verify.Options{Runners: []run.Runner{right, wrong, exact}})
	if !right.open || !wrong.open {
		t.Error("a runner of the caller's was closed")
	}
	limit := map[string]float64{}
	for _, c := range r.Checks {
		switch c.Runner {
		case right.name, exact.name:
			if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete {
				t.Errorf("%s of %s: %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
			}
			if c.Name == report.CheckPrefill {
				limit[c.Runner] = float64(c.Limit)
			}
		}
	}
	for name, want := range map[string]verify.Verdict{report.CheckPrefill: verify.Fail, report.CheckDecode: verify.Fail, report.CheckLongPast: verify.Skipped, report.CheckLawDistance: verify.Skipped} {
		if c, ok := find(r, name, wrong.name); c.Verdict != want {
			t.Errorf("%s of the wrong one: made %v, %q, want %s (%s)", name, ok, c.Verdict, want, c.Detail)
		}
	}
	if c, _ := find(r, report.CheckLongPast, right.name); !strings.Contains(c.Detail, "takes no past that it did not compute") {
		t.Errorf("long-past: %s %q", c.Verdict, c.Detail)
	}
	if !(limit[exact.name] == report.Float64.Limit() && limit[right.name] >= report.Float32.Limit()) {
		t.Errorf("limits %v: want those of the arithmetic", limit)
	}
	if r.Verdict != verify.Fail {
		t.Errorf("verdict %s", r.Verdict)
	}
}

// TestRefusedRunners: a runner that cannot be judged, or told from another, is an
// error before anything is run.
func TestRefusedRunners(t *testing.T) {
	dir := hopeLlama.write(t)
	for _, tt := range []struct {
		runners []run.Runner
		text    string
	}{
		{[]run.Runner{&supplied{name: "half", in: "float16"}}, `runner "half": arithmetic "float16": no tolerance is known for it: expected float64 or float32`},
		{[]run.Runner{&supplied{name: "ref", in: report.Float32}}, `runner "ref": the name is another's`},
		{[]run.Runner{&supplied{name: "a", in: report.Float32}, &supplied{name: "a", in: report.Float32}}, `runner "a": the name is another's`},
	} {
		if _, err := verify.Verify(context.Background(), dir, verify.Options{Runners: tt.runners}); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("error %v, want %s", err, tt.text)
		}
	}
}

// TestRunnersWithoutValues: a check that needs values of the graph says so where
// no runner shows any, and a runner that is required and was not brought fails.
func TestRunnersWithoutValues(t *testing.T) {
	dir, err := exportGolden(t, "mpt", onnxops.Options{MaxLength: 128, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := run.ReadGraph(dir)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := run.OpenInterp(info)
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	mute := struct{ run.Runner }{graph} // of all that it can do, the answers are left
	r := verified(t, dir, verify.Options{Runners: []run.Runner{mute}, Require: []string{"interp", "ort"}})
	if c, ok := find(r, report.CheckLawGates, "interp"); c.Verdict != verify.Skipped || !strings.Contains(c.Detail, "no runner shows values") {
		t.Errorf("law-gates: made %v, %s %q", ok, c.Verdict, c.Detail)
	}
	if c, ok := find(r, report.CheckLoad, "ort"); c.Verdict != verify.Fail {
		t.Errorf("load of ort: made %v, %s %q", ok, c.Verdict, c.Detail)
	}
	if c, ok := find(r, report.CheckLoad, "interp"); ok {
		t.Errorf("load of interp: %s %q", c.Verdict, c.Detail)
	}
	if r.Verdict != verify.Fail {
		t.Errorf("verdict %s", r.Verdict)
	}
}

// TestRefusedOptions: options that would be passed over, or prove nothing, are errors.
func TestRefusedOptions(t *testing.T) {
	for _, tt := range []struct {
		opts verify.Options
		text string
	}{
		{verify.Options{Provider: "gpu"}, `Options.Provider "gpu": expected one of cpu, cuda`},
		{verify.Options{OptLevel: "most"}, `Options.OptLevel "most": expected one of disabled, basic`},
		{verify.Options{Runners: []run.Runner{}}, "verify: Options.Runners is empty"},
		{verify.Options{Runners: []run.Runner{nil}}, "verify: Options.Runners[0] is nil"},
		{verify.Options{Require: []string{"ort-cuda"}}, `verify: Options.Require "ort-cuda": expected "ort"`},
		{verify.Options{Tokens: -3}, "verify: Options.Tokens -3: expected a positive number"},
		{verify.Options{MaxMem: -1}, "verify: Options.MaxMem -1: expected a positive number"},
		{verify.Options{DriftTokens: -1}, "verify: Options.DriftTokens -1: expected a positive number"},
	} {
		if _, err := verify.Verify(context.Background(), "nowhere", tt.opts); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("error %v, want %s", err, tt.text)
		}
	}
}
