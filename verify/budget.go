package verify

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// BLAS names the library that multiplies the reference's matrices.
func BLAS() string { return ref.BLAS() }

// plainRunner is the forward pass of package ref in float32 as a Runner: what a
// model does in that precision when nothing is done cleverly.
type plainRunner struct {
	r      *ref.Runner32
	hidden int
}

func newPlain(m *family.Model, src family.Source) *plainRunner {
	return &plainRunner{r: ref.New32(m, src), hidden: m.Hidden}
}

func (r *plainRunner) Name() string    { return "ref-float32" }
func (r *plainRunner) Positions() bool { return true }
func (r *plainRunner) Close() error    { return nil }

func (r *plainRunner) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	cache, _ := past.(*ref.Cache32)
	out, err := r.r.Forward(ctx, ref.Input32{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask, Past: cache}, ref.Options32{})
	if err != nil {
		return nil, nil, err
	}
	return &report.Logits{B: out.Batch, S: out.Seq, V: out.Vocab, Data: widen(out.Logits)}, out.Cache, nil
}

// Hidden returns the residual stream as refRunner.Hidden does.
func (r *plainRunner) Hidden(ctx context.Context, in Input) ([]*report.Logits, error) {
	b, s := in.Batch()
	out, err := r.r.Forward(ctx, ref.Input32{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask}, ref.Options32{KeepHidden: true, LogitsFrom: s})
	if err != nil {
		return nil, err
	}
	var list []*report.Logits
	for _, h := range out.Hidden {
		list = append(list, &report.Logits{B: b, S: s, V: r.hidden, Data: widen(h)})
	}
	return list, nil
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// budgets are the limits of float32 that were measured, by input, and the models
// they were measured on.
type budgets struct {
	limits map[string]*report.Tolerance
	plain  []pair
	// longer is ref's answer to the longer prompt, and what a plain run of it is
	// off by, and of which model.
	longer struct {
		logits   *report.Logits
		of       string
		baseline float64
	}
}

// pair are a model's float64 runner and its plain one.
type pair struct {
	of    string
	exact *refRunner
	plain *plainRunner
}

// pairs returns the models to measure a budget on, the first that can take an
// input before the others: the source, then the checkpoint.
func (s *session) pairs() []pair {
	if s.plain != nil {
		return s.plain
	}
	var list []pair
	if s.source != nil {
		if m, err := s.source.AtLength(s.info.MaxLength); err == nil {
			list = append(list, pair{"source", newRef(m, s.sourceCkpt), newPlain(m, s.sourceCkpt)})
		}
	}
	s.plain = append(list, pair{"checkpoint", s.ref, newPlain(s.model, s.ckpt)})
	return s.plain
}

// inFloat32 tells whether a runner computes in float32.
func inFloat32(r Runner) bool { return strings.HasPrefix(r.Name(), "ort-") }

// budget returns the limit of a check: lim, unless float32 has a part in what
// is compared. Two answers in float32 may be as far apart as the sum of both
// budgets. Only a cancelled context is an error.
func (s *session) budget(check string, r Runner, w want, lim float64, run func(Runner) (*report.Logits, error)) (float64, error) {
	parts := 0
	if inFloat32(r) {
		parts++
	}
	if w.from == "golden" {
		parts++
	}
	if parts == 0 {
		return lim, nil
	}
	t, err := s.tolerance(check, w, run)
	if err != nil {
		return 0, err
	}
	return float64(parts) * float64(t.Limit), nil
}

// inputOf names the tokens that a check runs on.
func inputOf(check string) string {
	switch check {
	case longCheck, "window", "long-past", "far-positions", "positions":
		return check
	}
	if strings.HasPrefix(check, "golden") {
		return check
	}
	if check == "batch" || strings.Contains(check, "-padding") {
		return "batch"
	}
	return "prompt"
}

// tolerance returns the budget of a check's input, which is measured once.
func (s *session) tolerance(check string, w want, run func(Runner) (*report.Logits, error)) (*report.Tolerance, error) {
	input := inputOf(check)
	if t := s.limits[input]; t != nil {
		return t, nil
	}
	if in, ok := s.longInput(); ok && s.longer.of == "" {
		exact, err := s.longAnswer(in)
		if err != nil {
			return nil, err
		}
		s.longer.of, s.longer.baseline, err = s.measure(longCheck, want{logits: exact, from: "ref"}, nil, func(r Runner) (*report.Logits, error) {
			l, _, err := r.Run(s.ctx, in, nil)
			return l, err
		})
		if err != nil {
			return nil, err
		}
	}
	if input == longCheck && s.longer.of != "" {
		return s.measured(input, s.longer.of, s.longer.baseline), nil
	}
	keep := w.keep
	if input == "prompt" && check != "prefill" {
		keep = nil
		w.logits = nil
		run = func(r Runner) (*report.Logits, error) {
			l, _, err := r.Run(s.ctx, s.in, nil)
			return l, err
		}
	}
	of, baseline, err := s.measure(input, w, keep, run)
	if err != nil {
		return nil, err
	}
	return s.measured(input, of, baseline), nil
}

// measure is the error of a plain run on an input, of the first model that can
// take it.
func (s *session) measure(input string, w want, keep func(b, s int) bool, run func(Runner) (*report.Logits, error)) (of string, baseline float64, err error) {
	for _, p := range s.pairs() {
		s.step("ref: what float32 costs the %s (%s)", p.of, input)
		baseline, err := s.baseline(p, w, keep, run)
		if s.ctx.Err() != nil {
			return "", 0, s.ctx.Err()
		}
		if err == nil || p.of == "checkpoint" {
			return p.of, baseline, nil
		}
	}
	panic("verify: no model to measure a budget on")
}

// baseline is the error of a plain run against float64; infinite where float32
// cannot hold the model.
func (s *session) baseline(p pair, w want, keep func(b, s int) bool, run func(Runner) (*report.Logits, error)) (float64, error) {
	exact := w.logits
	if exact == nil || w.from != "ref" || p.exact != s.ref {
		var err error
		if exact, err = run(p.exact); err != nil {
			return math.Inf(1), err
		}
	}
	plain, err := run(p.plain)
	if err != nil {
		return math.Inf(1), err
	}
	m, err := report.Compare(plain, exact, keep)
	if err != nil {
		return math.Inf(1), err
	}
	return m.MaxRel, nil
}

// measured records the budget that a baseline makes.
func (s *session) measured(input, of string, baseline float64) *report.Tolerance {
	t := float32Row()
	// Few tokens are a small sample of what float32 costs a model: no input is
	// held to less than the two prompts.
	if s.longer.of == of {
		baseline = max(baseline, s.longer.baseline)
	}
	if p := s.limits["prompt"]; p != nil && p.Of == of {
		baseline = max(baseline, float64(p.Baseline))
	}
	t.Input, t.Of, t.Baseline = input, of, report.Number(baseline)
	if s.lowered() {
		t.Floor = report.Number(report.LoweredFloor * report.Float32.Roundoff())
	}
	t.Limit = min(max(t.C*t.Baseline, t.Floor), t.Cap)
	if s.limits == nil {
		s.limits = map[string]*report.Tolerance{}
	}
	s.limits[input] = &t
	switch {
	case t.Capped():
		t.Limit = t.Cap
		t.Why = "the cap: " + ill(&t)
		s.warn("%s: %s", input, ill(&t))
	case t.C*t.Baseline < t.Floor:
		t.Why = fmt.Sprintf("the floor: a plain float32 run of the %s is off by %.2g only", of, baseline)
	default:
		t.Why = fmt.Sprintf("%.3g × the error of a plain float32 run of the %s", float64(t.C), of)
	}
	s.report.Tolerances = append(s.report.Tolerances, t)
	return &t
}

// lowered tells whether the graph holds a bias as coordinates of its heads.
func (s *session) lowered() bool {
	for _, p := range s.info.Model.GetMetadataProps() {
		if p.GetKey() == "pecvt.bias" && strings.Contains(p.GetValue(), "lowered") {
			return true
		}
	}
	return false
}

// ill says that a model, and not what runs it, is at fault for an error.
func ill(t *report.Tolerance) string {
	if math.IsInf(float64(t.Baseline), 0) || math.IsNaN(float64(t.Baseline)) {
		return fmt.Sprintf("the %s is ill-conditioned in float32: a plain run of it overflows", t.Of)
	}
	return fmt.Sprintf("the %s is ill-conditioned in float32: a plain run of it is off by %.2g of the largest value", t.Of, float64(t.Baseline))
}

// beyondCap explains a failed check whose limit is the cap, "" for another.
func (s *session) beyondCap(check string, r Runner, w want) string {
	t := s.limits[inputOf(check)]
	if t == nil || !t.Capped() || !inFloat32(r) && w.from != "golden" {
		return ""
	}
	return ill(t) + fmt.Sprintf(", and %.3g times that is past the cap of %.0e: an answer this far off proves nothing; run and verify it in a wider type, or mend the weights", float64(t.C), float64(t.Cap))
}
