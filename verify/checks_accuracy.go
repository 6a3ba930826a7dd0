package verify

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// fromRounding names the answer that rounded inputs are compared with.
const fromRounding = "interp, inputs rounded"

// roundedInputs runs a graph that declares its products' inputs rounded to 8 bits as it
// is. Every other check was made on the same graph without that, within float32's budget,
// so that a fault is not taken for rounding. This one holds ONNX Runtime's rounding to
// the interpreter's: alike to float32 unless a number lies between two steps, which
// float32 and float64 then round apart. From there on the two round differently, and are
// at most as far apart as two answers whose roundings have nothing to do with each
// other: twice what rounding costs, max |interp − ref| / max |ref|.
func (s *session) roundedInputs() error {
	if s.answers.logits == nil || s.report.Runtime == "" {
		return nil
	}
	ask := run.Prefill(s.ctx, s.in)
	s.step("interp: %s", report.CheckRoundedInputs)
	rounded, err := s.roundedBy(ask)
	if err != nil {
		return err
	}
	cost, err := report.Compare(rounded, s.answers.logits, s.answers.keep)
	if err != nil {
		return err
	}
	s.step("ort-cpu: %s", report.CheckRoundedInputs)
	begin := time.Now()
	c := report.Check{Name: report.CheckRoundedInputs, Runner: run.ORTName(ort.ProviderCPU), Level: ort.OptAll, Against: fromRounding}
	r, err := run.OpenORT(s.declared(), run.GraphFile, s.info, ort.Options{OptLevel: ort.OptAll, Provider: ort.ProviderCPU, Threads: s.opts.Threads, OpsLibrary: s.opts.OpsLibrary})
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(c.Runner, err)
		s.add(c)
		return s.ctx.Err()
	}
	defer r.Close()
	c.Runner = r.Name()
	got, err := ask(r)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(c.Runner, err)
		s.add(c)
		return nil
	}
	if err := s.judgeRounded(&c, got, rounded, cost.MaxRel); err != nil {
		return err
	}
	s.add(c)
	m, err := report.Compare(got, s.answers.logits, s.answers.keep)
	if err != nil {
		return err
	}
	s.warn("the graph's products with codes round what enters them to 8 bits (accuracy int8): all checks but %s were made with the same products of float32 inputs; as it is, its logits are off by %.2g of the largest, KL %.2g, first tokens alike %.1f %% (%s)",
		report.CheckRoundedInputs, m.MaxRel, m.KL, 100*m.Top1, filepath.Base(s.info.Path))
	return nil
}

// roundedBy is the interpreter's answer of the graph as it is declared.
func (s *session) roundedBy(ask run.Question) (*report.Logits, error) {
	info, err := run.ReadGraph(s.declared()) // s.info's products leave their inputs
	if err != nil {
		return nil, err
	}
	r, err := run.OpenRounding(info)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return ask(r)
}

// judgeRounded fills in a check of an answer against the interpreter's with the same
// rounding, which costs as much of the largest logit.
func (s *session) judgeRounded(c *report.Check, got, rounded *report.Logits, cost float64) error {
	m, err := report.Compare(got, rounded, s.answers.keep)
	if err != nil {
		return err
	}
	lim := 2*cost + report.Float32.Limit()
	c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine = report.Number(m.MaxAbs), report.Number(m.MaxRel), report.Number(m.NMSE), report.Number(m.Cosine)
	c.KL, c.Top1, c.Positions, c.Limit = report.Number(m.KL), report.Number(m.Top1), m.Positions, report.Number(lim)
	switch {
	case m.MaxRel <= lim:
		c.Verdict = report.Pass
	case mixes(s.model):
		c.Verdict, c.Detail = report.Ambiguous, fmt.Sprintf("off by %.3g of the largest value (limit %.3g): a number that lies between two steps may have chosen another expert", m.MaxRel, lim)
		c.Blame = "judge by another prompt (" + hint.Seed + ", " + hint.IDs + ")"
	default:
		c.Verdict, c.Detail = report.Fail, fmt.Sprintf("off by %.3g of the largest value at row %d, %s (limit %.3g)", m.MaxRel, m.WorstRow, s.answers.position(m.WorstRow, m.WorstPosition), lim)
	}
	return nil
}
