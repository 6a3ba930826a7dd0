package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// goldenAsIs compares a graph that computes in 16 bits, or whose products round what
// enters them, with the given answers as it is: the other checks were made on it in
// float32. It may be off by what its own rounding costs on these tokens, and by what the
// codes of its weights cost, max |ref of the codes − golden| / max |golden|:
//
//   - in 16 bits by [report.HalfLimit] of what a plain float32 run is off by;
//   - with inputs rounded to 8 bits by three times max |interp, rounding − ref| / max |ref|,
//     of which one is that rounding and two are how far apart two of it may be
//     (rounded-inputs), and float32's budget.
func (s *session) goldenAsIs(w want, ask run.Question) error {
	half := s.computes != onnxpb.TensorProto_FLOAT
	if !half && s.info.Accuracy != accuracyInt8 {
		return nil
	}
	name := report.CheckGolden + ".as-is"
	if mixes(s.model) {
		s.add(report.Check{Name: name, Runner: run.InterpName, Against: fromGolden, Verdict: report.Skipped,
			Detail: "rounding may turn a near tie of experts among these tokens, after which nothing is rounding: " + map[bool]string{true: report.CheckSixteenBits, false: report.CheckRoundedInputs}[half] + " judges the mixture"})
		return nil
	}
	s.step("interp: %s", name)
	meant, err := ask(s.ref)
	if err != nil {
		return err
	}
	codes, err := report.Compare(meant, w.logits, w.keep)
	if err != nil {
		return err
	}
	a := halfAsked{in: s.in, want: w}
	if s.meant != s.ckpt {
		a.lim = codes.MaxRel
	}
	info, err := run.ReadGraph(s.declared()) // s.info is of the graph in float32
	if err != nil {
		return err
	}
	if half {
		t, err := s.tolerance(report.CheckGolden, report.Float32, want{logits: meant, from: run.RefName, keep: w.keep}, ask)
		if err != nil {
			return err
		}
		a.lim += report.HalfLimit(report.Arithmetic(spelled[s.computes]), float64(t.Baseline))
		if err := s.oneAsIs(name, a, ask, run.InterpName, func() (run.Runner, error) { return run.OpenTyped(info) }); err != nil {
			return err
		}
	} else {
		r, err := run.OpenRounding(info)
		if err != nil {
			return err
		}
		rounded, err := ask(r)
		r.Close()
		if err != nil {
			return err
		}
		cost, err := report.Compare(rounded, meant, w.keep)
		if err != nil {
			return err
		}
		a.lim += 3*cost.MaxRel + report.Float32.Limit()
	}
	for _, provider := range s.opts.providers() {
		runner := s.ortName(provider)
		if !slices.ContainsFunc(s.others, func(r run.Runner) bool { return r.Name() == runner }) || !half && provider != ort.ProviderCPU {
			continue
		}
		s.step("%s: %s", runner, name)
		err := s.oneAsIs(name, a, ask, runner, func() (run.Runner, error) {
			return run.OpenORT(s.declared(), run.GraphFile, info, ort.Options{Provider: provider, OptLevel: s.opts.level(), Threads: s.opts.Threads, OpsLibrary: s.opts.OpsLibrary})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// accuracyInt8 is what the metadata of a graph say whose products round their inputs.
const accuracyInt8 = "int8"

// oneAsIs makes the check of one runner.
func (s *session) oneAsIs(name string, a halfAsked, ask run.Question, runner string, open func() (run.Runner, error)) error {
	begin := time.Now()
	c := report.Check{Name: name, Runner: runner, Against: fromGolden, Limit: report.Number(a.lim)}
	r, err := open()
	if err != nil && s.computes == onnxpb.TensorProto_BFLOAT16 && strings.Contains(err.Error(), run.NotImplemented) {
		c.Verdict, c.Limit, c.Detail = report.Skipped, 0, fmt.Sprintf("this provider has no kernels of bfloat16: see %s", report.CheckSixteenBits)
		s.add(c)
		return nil
	}
	var got *report.Logits
	if err == nil {
		defer r.Close()
		c.Level = run.LevelOf(r)
		got, err = ask(r)
	}
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	s.judgeHalf(&c, a, got, err)
	s.add(c)
	return nil
}
