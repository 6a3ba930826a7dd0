package verify

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// budgets are the limits that were measured and the models they were measured on.
type budgets struct {
	limits map[budgetOf]*report.Tolerance
	pairs  []pair
	// longer is ref's answer to the longer prompt, and what plain runs of it are
	// off by.
	longer struct {
		logits  *report.Logits
		redrawn int64
		off     map[report.Arithmetic]longerError
	}
}

// budgetOf is an arithmetic on an input.
type budgetOf struct {
	in    report.Arithmetic
	input string
}

// longerError is what a plain run of the longer prompt is off by, and of which
// model.
type longerError struct {
	of       string
	baseline float64
}

// pair are a model's float64 runner and its plain ones.
type pair struct {
	of    string
	model *family.Model
	src   family.Source
	exact *run.Ref
	plain map[report.Arithmetic]*run.Plain
}

// in returns the plain runner of an arithmetic.
func (p *pair) in(a report.Arithmetic) (*run.Plain, error) {
	if p.plain[a] == nil {
		r, err := run.NewPlain(a, p.model, p.src)
		if err != nil {
			return nil, err
		}
		p.plain[a] = r
	}
	return p.plain[a], nil
}

// measuredOn returns the models to measure a budget on, the first that can take an
// input before the others: the source, then the checkpoint.
func (s *session) measuredOn() []pair {
	if s.pairs != nil {
		return s.pairs
	}
	add := func(of string, m *family.Model, src family.Source, exact *run.Ref) {
		s.pairs = append(s.pairs, pair{of, m, src, exact, map[report.Arithmetic]*run.Plain{}})
	}
	if s.source != nil {
		if m, err := s.source.AtLength(s.info.MaxLength); err == nil {
			add("source", m, s.sourceCkpt, run.NewRef(m, s.sourceCkpt))
		}
	}
	add("checkpoint", s.model, s.meant, s.ref)
	return s.pairs
}

// rounds tells whether what an arithmetic may cost is measured, model by model.
func rounds(a report.Arithmetic) bool {
	t, err := a.Tolerance()
	return err == nil && t.C > 0
}

// budget returns the limit of a check: lim, unless rounding has a part in what
// is compared. Two rounded answers may be as far apart as the sum of both
// budgets; given answers are taken to be in float32. Only a cancelled context is
// an error.
func (s *session) budget(check string, r run.Runner, w want, lim float64, ask run.Question) (float64, error) {
	var parts []report.Arithmetic
	if rounds(r.Arithmetic()) {
		parts = append(parts, r.Arithmetic())
	}
	if w.from == fromGolden {
		parts = append(parts, report.Float32)
	}
	if len(parts) == 0 {
		return lim, nil
	}
	sum := 0.0
	for _, a := range parts {
		t, err := s.tolerance(check, a, w, ask)
		if err != nil {
			return 0, err
		}
		sum += float64(t.Limit)
	}
	return sum, nil
}

// inputOf names the tokens that a check runs on.
func inputOf(check string) string {
	switch k := kindOf(check); k.input {
	case "":
		return "prompt"
	case ownInput:
		return check
	default:
		return k.input
	}
}

// tolerance returns the budget of a check's input, which is measured once.
func (s *session) tolerance(check string, a report.Arithmetic, w want, ask run.Question) (*report.Tolerance, error) {
	input := inputOf(check)
	if t := s.limits[budgetOf{a, input}]; t != nil {
		return t, nil
	}
	if err := s.measureLonger(a); err != nil {
		return nil, err
	}
	if l, ok := s.longer.off[a]; ok && input == report.CheckLongPrefill {
		return s.measured(a, input, l.of, l.baseline), nil
	}
	keep := w.keep
	if input == "prompt" && check != report.CheckPrefill {
		keep = nil
		w.logits = nil
		ask = run.Prefill(s.ctx, s.in)
	}
	of, baseline, err := s.measure(a, input, w, keep, ask)
	if err != nil {
		return nil, err
	}
	return s.measured(a, input, of, baseline), nil
}

// measureLonger measures a plain run of the longer prompt once, where there is
// one.
func (s *session) measureLonger(a report.Arithmetic) error {
	_, ok := s.longInput()
	if _, done := s.longer.off[a]; !ok || done {
		return nil
	}
	in, exact, err := s.longAnswer()
	if err != nil {
		return err
	}
	of, baseline, err := s.measure(a, report.CheckLongPrefill, want{logits: exact, from: run.RefName}, nil, run.Prefill(s.ctx, in))
	if err != nil {
		return err
	}
	if s.longer.off == nil {
		s.longer.off = map[report.Arithmetic]longerError{}
	}
	s.longer.off[a] = longerError{of, baseline}
	return nil
}

// measure is the error of a plain run on an input, of the first model that can
// take it.
func (s *session) measure(a report.Arithmetic, input string, w want, keep func(b, s int) bool, ask run.Question) (of string, baseline float64, err error) {
	list := s.measuredOn()
	for i := range list {
		p := &list[i]
		s.step("ref: what %s costs the %s (%s)", a, p.of, input)
		baseline, err := s.baseline(a, p, w, keep, ask)
		if s.ctx.Err() != nil {
			return "", 0, s.ctx.Err()
		}
		if err == nil || p.of == "checkpoint" {
			return p.of, baseline, nil
		}
	}
	panic("verify: no model to measure a budget on")
}

// baseline is the error of a plain run against float64; infinite where the
// arithmetic cannot hold the model.
func (s *session) baseline(a report.Arithmetic, p *pair, w want, keep func(b, s int) bool, ask run.Question) (float64, error) {
	exact := w.logits
	if exact == nil || w.from != run.RefName || p.exact != s.ref {
		var err error
		if exact, err = ask(p.exact); err != nil {
			return math.Inf(1), err
		}
	}
	r, err := p.in(a)
	if err != nil {
		return math.Inf(1), err
	}
	plain, err := ask(r)
	if err != nil {
		return math.Inf(1), err
	}
	m, err := report.Compare(plain, exact, keep)
	if err != nil {
		return math.Inf(1), err
	}
	if !(m.MaxRel <= a.Limit()) { // another expert is no rounding
		t, err := s.routing(p.model, p.exact, a.Roundoff(), ask)
		if err != nil {
			return math.Inf(1), err
		}
		if t != nil {
			m, _ = report.Compare(plain, exact, t.before(exact, keep)) // 0 where nothing is left
		}
	}
	return m.MaxRel, nil
}

// measured records the budget that a baseline makes.
func (s *session) measured(a report.Arithmetic, input, of string, baseline float64) *report.Tolerance {
	t, err := a.Tolerance()
	if err != nil {
		panic("verify: " + err.Error()) // refused when the runner was opened
	}
	// Few tokens are a small sample of what an arithmetic costs a model: no input is
	// held to less than the two prompts.
	if l, ok := s.longer.off[a]; ok && l.of == of {
		baseline = max(baseline, l.baseline)
	}
	if p := s.limits[budgetOf{a, "prompt"}]; p != nil && p.Of == of {
		baseline = max(baseline, float64(p.Baseline))
	}
	t.Input, t.Of, t.Baseline = input, of, report.Number(baseline)
	if s.lowered() {
		t.Floor = report.Number(report.LoweredFloor * a.Roundoff())
	}
	t.Limit = min(max(t.C*t.Baseline, t.Floor), t.Cap)
	if s.limits == nil {
		s.limits = map[budgetOf]*report.Tolerance{}
	}
	s.limits[budgetOf{a, input}] = &t
	switch {
	case t.Capped():
		t.Limit = t.Cap
		t.Why = "the cap: " + ill(&t)
		s.warn("%s: %s", input, ill(&t))
	case t.C*t.Baseline < t.Floor:
		t.Why = fmt.Sprintf("the floor: a plain %s run of the %s is off by %.2g only", a, of, baseline)
	default:
		t.Why = fmt.Sprintf("%.3g × the error of a plain %s run of the %s", float64(t.C), a, of)
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
		return fmt.Sprintf("the %s is ill-conditioned in %s: a plain run of it overflows", t.Of, t.DType)
	}
	return fmt.Sprintf("the %s is ill-conditioned in %s: a plain run of it is off by %.2g of the largest value", t.Of, t.DType, float64(t.Baseline))
}

// beyondCap explains a failed check whose limit is the cap, "" for another.
func (s *session) beyondCap(check string, r run.Runner, w want) string {
	a := r.Arithmetic()
	if !rounds(a) && w.from == fromGolden {
		a = report.Float32
	}
	t := s.limits[budgetOf{a, inputOf(check)}]
	if t == nil || !t.Capped() || !rounds(a) {
		return ""
	}
	return ill(t) + fmt.Sprintf(", and %.3g times that is past the cap of %.0e: an answer this far off proves nothing; run and verify it in a wider type, or mend the weights", float64(t.C), float64(t.Cap))
}
