package verify

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// largestHalf is float16's largest number, nearHalf the share of it past which a warning
// is due: other tokens than the prompt's may be three powers of two larger.
const (
	largestHalf = 65504.0
	nearHalf    = 1.0 / 8
)

// halfAsked is what a graph of 16 bits is asked.
type halfAsked struct {
	in   run.Input
	want want
	ask  run.Question // in pieces, through a cache of 16 bits
	lim  float64
	// clear tells positions that no near tie of experts reaches, nil for all; first is
	// the first tie.
	clear func(b, s int) bool
	first string
	// once is how far off the interpreter is, which rounds once; nil where it failed.
	once *report.Metrics
}

// sixteenBits runs a graph that computes in 16 bits as it is. Every other check was made
// on it without its casts, in float32, and told what it computes; this one tells that
// rounding to its types costs what rounding to them has to, of the interpreter, which
// rounds every value once, and of ONNX Runtime, whose kernels round where they do.
func (s *session) sixteenBits() error {
	if s.answers.logits == nil || s.computes == onnxpb.TensorProto_FLOAT {
		return nil
	}
	a, err := s.askHalf()
	if err != nil {
		return err
	}
	info, err := run.ReadGraph(s.declared()) // s.info computes in float32
	if err != nil {
		return err
	}
	if err := s.typedInterp(&a, info); err != nil {
		return err
	}
	if s.opts.Runners != nil || s.report.Runtime == "" {
		return nil
	}
	for _, provider := range s.opts.providers() {
		if slices.ContainsFunc(s.others, func(r run.Runner) bool { return r.Name() == s.ortName(provider) }) {
			if err := s.typedORT(a, info, provider); err != nil {
				return err
			}
		}
	}
	return nil
}

// askHalf is the prompt, or, of a model with mixtures, many short ones: rounding turns
// a near tie of experts, after which nothing is rounding, and there are few in a short
// prompt.
func (s *session) askHalf() (a halfAsked, err error) {
	a.in, a.want = s.in, s.answers
	u := report.Arithmetic(spelled[s.computes]).Roundoff()
	if mixes(s.model) {
		if err := s.shortPrompts(&a, u); err != nil {
			return a, err
		}
	}
	a.ask = s.pieces(a.in)
	t, err := s.tolerance(report.CheckPrefill, report.Float32, s.answers, run.Prefill(s.ctx, s.in))
	if err != nil {
		return a, err
	}
	a.lim = report.HalfLimit(report.Arithmetic(spelled[s.computes]), float64(t.Baseline))
	return a, nil
}

// pieces asks for an input in one call but for its last tokens, which come one by one.
func (s *session) pieces(in run.Input) run.Question {
	_, n := in.Batch()
	var at []int
	for i := max(n-4, 1); i < n; i++ {
		at = append(at, i)
	}
	return func(r run.Runner) (*report.Logits, error) { return run.InChunks(s.ctx, r, in, cuts(n, at...)) }
}

// rowsOfTied and tokensOfTied are how many prompts, and how long ones, a mixture is
// asked.
const (
	rowsOfTied   = 16
	tokensOfTied = 8
)

// shortPrompts has a ask for them, and notes what near ties of experts reach.
func (s *session) shortPrompts(a *halfAsked, u float64) error {
	rows := make([][]int64, rowsOfTied)
	for i := range rows {
		rows[i] = run.RandomIDs(min(tokensOfTied, len(s.ids[0])), s.model.Vocab, s.report.Seed*rowsOfTied+int64(i))[0]
	}
	a.in = run.Prompt(rows, 0)
	s.step("ref: %d prompts of %d tokens", len(rows), len(rows[0]))
	t := newRouting(s.model)
	l, err := run.Prefill(s.ctx, a.in)(t.watch(s.ref, u))
	if err != nil {
		return err
	}
	a.want = want{logits: l, from: run.RefName}
	if len(t.nearest) > 0 {
		c := t.nearest[0]
		a.clear, a.first = t.before(l, nil), tieText(c, fmt.Sprintf("row %d, position %d", c.Row, c.Column))
	}
	return nil
}

// kept tells which positions of an answer are judged, and how many they are: all but
// those of a row from the first on that a near tie of experts reaches and that is off by
// more than the limit. Another expert was chosen there, or the graph is wrong: so at
// least half of all must be left for a verdict.
func (a *halfAsked) kept(got *report.Logits, lim float64) (keep func(b, s int) bool, n int) {
	w := a.want.logits
	largest := 0.0
	for _, x := range w.Data {
		largest = max(largest, math.Abs(x))
	}
	until := make([]int, w.B)
	for b := range until {
		for until[b] < w.S {
			at := (b*w.S + until[b]) * w.V
			off := 0.0
			for i, x := range w.Data[at : at+w.V] {
				off = max(off, math.Abs(got.Data[at+i]-x))
			}
			if !a.clear(b, until[b]) && !(off <= lim*largest) {
				break
			}
			until[b]++
		}
		n += until[b]
	}
	return func(b, s int) bool { return s < until[b] }, n
}

// typedInterp makes the check of the interpreter, and looks for what comes near the
// largest number of float16.
func (s *session) typedInterp(a *halfAsked, info *run.GraphInfo) error {
	s.step("interp: %s", report.CheckSixteenBits)
	begin := time.Now()
	c := report.Check{Name: report.CheckSixteenBits, Runner: run.InterpName, Against: a.want.from, Limit: report.Number(a.lim)}
	r, err := run.OpenTyped(info)
	if err != nil {
		return err
	}
	defer r.Close()
	var all []string
	for _, v := range info.Model.GetGraph().GetValueInfo() {
		if v.GetType().GetTensorType().GetElemType() == int32(onnxpb.TensorProto_FLOAT16) {
			all = append(all, v.GetName())
		}
	}
	largest, where := 0.0, ""
	got, _, err := r.Tap(s.ctx, a.in, nil, all, func(name string, v *interp.Array) error {
		if strings.HasPrefix(name, "/const/") || strings.Contains(name, "/mask/") {
			return nil // what hides a key
		}
		for _, x := range v.F {
			if x = math.Abs(x); x > largest && !math.IsInf(x, 0) {
				largest, where = x, name
			}
		}
		return nil
	})
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	if m := s.judgeHalf(&c, *a, got, err); c.Verdict == report.Pass {
		a.once = &m
	}
	s.add(c)
	if err := s.typedFar(*a, r); err != nil {
		return err
	}
	if largest > nearHalf*largestHalf {
		s.warn("%s is up to %.4g on the prompt: float16 ends at %g, and other tokens may pass that; use "+hint.DType+" bfloat16 or float32", where, largest, largestHalf)
	}
	return nil
}

// typedFar makes the check of the interpreter on the same tokens at the last rows of the
// tables: what positions cost in 16 bits must not grow with them.
func (s *session) typedFar(a halfAsked, r *run.Interp) error {
	_, n := a.in.Batch()
	start := int64(s.info.MaxLength - n)
	if !s.info.Positions || a.clear != nil || start <= 0 {
		return nil
	}
	ask := run.Prefill(s.ctx, run.Prompt(a.in.IDs, start))
	s.step("interp: %s.far", report.CheckSixteenBits)
	begin := time.Now()
	l, err := ask(s.ref)
	if err != nil {
		return err
	}
	a.want = want{logits: l, from: run.RefName, first: int(start)}
	got, err := ask(r)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c := report.Check{Name: report.CheckSixteenBits + ".far", Runner: run.InterpName, Against: run.RefName, Seconds: report.Number(time.Since(begin).Seconds())}
	a.once = nil
	s.judgeHalf(&c, a, got, err)
	s.add(c)
	return nil
}

// typedORT makes the check of ONNX Runtime on a provider.
func (s *session) typedORT(a halfAsked, info *run.GraphInfo, provider string) error {
	s.step("%s: %s", s.ortName(provider), report.CheckSixteenBits)
	begin := time.Now()
	c := report.Check{Name: report.CheckSixteenBits, Runner: s.ortName(provider), Level: s.opts.level(), Against: a.want.from, Limit: report.Number(a.lim)}
	r, err := run.OpenORT(info.Dir(), run.GraphFile, info, ort.Options{Provider: provider, OptLevel: s.opts.level(), Threads: s.opts.Threads, OpsLibrary: s.opts.OpsLibrary})
	if err != nil && s.computes == onnxpb.TensorProto_BFLOAT16 && strings.Contains(err.Error(), run.NotImplemented) {
		c.Verdict, c.Limit = report.Skipped, 0
		c.Detail = fmt.Sprintf("this provider has no kernels of bfloat16 and does not load the graph (%s): run by the interpreter alone, and by ONNX Runtime without its casts", run.Reason(c.Runner, err))
		s.add(c)
		s.warn("%s was not run in bfloat16 by %s, which has no kernels of it: what is verified is the graph without its casts, and the interpreter's bfloat16", filepath.Base(s.info.Path), c.Runner)
		return nil
	}
	if err == nil {
		defer r.Close()
		var got *report.Logits
		if got, err = a.ask(r); s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		c.Seconds = report.Number(time.Since(begin).Seconds())
		s.judgeHalf(&c, a, got, err)
	} else {
		c.Verdict, c.Detail = report.Fail, run.Reason(c.Runner, err)
	}
	s.add(c)
	if c.Verdict == report.Pass {
		s.warn("the graph computes in %s: all checks but %s and %s were made on it without its casts, in float32; as it is, %s's logits are off by %.2g of the largest, KL %.2g, first tokens alike %.1f %%",
			spelled[s.computes], report.CheckTypes, report.CheckSixteenBits, c.Runner, float64(c.MaxRel), float64(c.KL), 100*float64(c.Top1))
	}
	return nil
}

// judgeHalf fills in a check of an answer, or of what kept it from being given, and
// returns what it is off by. An answer after the interpreter's is held to that too.
func (s *session) judgeHalf(c *report.Check, a halfAsked, got *report.Logits, err error) (m report.Metrics) {
	lim := a.lim
	if a.once != nil {
		lim = min(lim, report.HalfAgain*a.once.MaxRel)
	}
	c.Limit = report.Number(lim)
	keep := a.want.keep
	if w := a.want.logits; err == nil && a.clear != nil && len(got.Data) == len(w.Data) {
		left := 0
		if keep, left = a.kept(got, lim); 2*left < w.B*w.S {
			c.Verdict, c.Blame = report.Ambiguous, "judge by other tokens ("+hint.Seed+"), or by what is generated"
			c.Detail = fmt.Sprintf("%d of %d positions are within the limit (%.3g), and a near tie of experts reaches the others, such as %s", left, w.B*w.S, lim, a.first)
			return m
		} else if left < w.B*w.S {
			c.Detail = fmt.Sprintf("%d of %d positions; the others come after a near tie of experts, such as %s", left, w.B*w.S, a.first)
		}
	}
	if err == nil {
		m, err = report.Compare(got, a.want.logits, keep)
	}
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(c.Runner, err)
		c.Blame = s.passesHalf()
		return m
	}
	c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine = report.Number(m.MaxAbs), report.Number(m.MaxRel), report.Number(m.NMSE), report.Number(m.Cosine)
	c.KL, c.Top1, c.Positions = report.Number(m.KL), report.Number(m.Top1), m.Positions
	spread := 1.0
	if a.once != nil {
		spread = math.Sqrt(m.NMSE / a.once.NMSE)
	}
	switch {
	case !(m.MaxRel <= lim):
		c.Verdict = report.Fail
		if math.IsInf(m.MaxRel, 0) || math.IsNaN(m.MaxRel) {
			c.Blame = s.passesHalf()
		}
		c.Detail = fmt.Sprintf("off by %.3g of the largest value at row %d, %s (limit %.3g)", m.MaxRel, m.WorstRow, a.want.position(m.WorstRow, m.WorstPosition), lim)
	case spread > report.HalfSpread:
		c.Verdict = report.Fail
		c.Detail = fmt.Sprintf("off by %.3g times what rounding once costs, in root mean square (limit %v)", spread, report.HalfSpread)
	default:
		c.Verdict = report.Pass
	}
	return m
}

// passesHalf says what makes an answer of float16 no number, "" of other types.
func (s *session) passesHalf() string {
	if s.computes != onnxpb.TensorProto_FLOAT16 {
		return ""
	}
	return fmt.Sprintf("a number of the model passes what float16 holds, %g: use "+hint.DType+" bfloat16 or float32", largestHalf)
}
