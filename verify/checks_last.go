package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// fromWhole names the answers that those of a graph with one position's logits are
// compared with.
const fromWhole = "all logits"

// declared is the folder of the graph as it computes, with all logits.
func (s *session) declared() string { return cmp.Or(folderOf(s.whole), s.info.Dir()) }

// call is a batch that a graph with one position's logits is asked, in pieces that end
// at the given columns.
type call struct {
	name string
	// positions tells that it is for graphs with position_ids alone: others count
	// positions from the mask's sum, and take no piece of a batch after a past.
	positions bool
	in        run.Input
	ends      []int
}

// lastLogits runs a graph that gives each row's last token's logits as it is. Every other
// check was made on the same graph with all logits; this one holds that what it gives are
// those, at the last column of each row in which attention_mask is 1: of a prompt in
// pieces and token by token, and of rows padded on the left and on the right. Both
// compute the same in all but the last rows of the last layer and the head.
func (s *session) lastLogits() error {
	if s.answers.logits == nil {
		return nil
	}
	calls, err := s.lastCalls()
	if err != nil {
		return err
	}
	asIs, err := run.ReadGraph(s.info.Dir())
	if err != nil {
		return err
	}
	whole, err := run.ReadGraph(s.whole.Dir)
	if err != nil {
		return err
	}
	guard := report.Check{Name: report.CheckLastLogits + ".guard", Runner: run.InterpName, Against: run.GraphFile, Verdict: report.Pass, Detail: run.GuardedApart(asIs.Model)}
	if guard.Detail != "" {
		guard.Verdict = report.Fail
	}
	s.add(guard)
	open := func(info *run.GraphInfo) (*run.Interp, error) {
		if s.computes != onnxpb.TensorProto_FLOAT {
			return run.OpenTyped(info)
		}
		return run.OpenRounding(info)
	}
	lim := selfLimit
	if s.computes != onnxpb.TensorProto_FLOAT {
		lim = s.lastLimit()
	}
	if err := s.lastBy(run.InterpName, "", lim, calls, func() (run.Runner, error) { return open(asIs) }, func() (run.Runner, error) { return open(whole) }); err != nil {
		return err
	}
	for _, provider := range s.opts.providers() {
		name := s.ortName(provider)
		if !slices.ContainsFunc(s.others, func(r run.Runner) bool { return r.Name() == name }) {
			continue
		}
		o := ort.Options{Provider: provider, OptLevel: s.opts.level(), Threads: s.opts.Threads, OpsLibrary: s.opts.OpsLibrary}
		open := func(info *run.GraphInfo) func() (run.Runner, error) {
			return func() (run.Runner, error) { return run.OpenORT(info.Dir(), run.GraphFile, info, o) }
		}
		if err := s.lastBy(name, o.OptLevel, s.lastLimit(), calls, open(asIs), open(whole)); err != nil {
			return err
		}
	}
	return nil
}

// lastLimit bounds what products of one row in the last layer and the head may differ by
// from the same of many: their sums have another order, which 16 bits round again, and 8
// bits in steps of a block's 127th part. Another token's logits are apart by a large part
// of the largest. Of 156 bundled models and SmolLM2 in int4 with inputs rounded to
// 8 bits the interpreter is off by 2e-15 at the most, so that it is held to selfLimit, and
// ONNX Runtime 1.32 by nothing: 1/64 is room for a provider whose float32 sums put a
// number on the other side of such a step, and not what was seen. Faults of any node are in both forms, and the other checks' to find.
func (s *session) lastLimit() float64 {
	switch {
	case s.info.Accuracy == "int8":
		return 1.0 / 64
	case s.computes != onnxpb.TensorProto_FLOAT:
		return 4 * report.Arithmetic(spelled[s.computes]).Roundoff()
	}
	return report.Float32.Limit()
}

// lastCalls are what is asked.
func (s *session) lastCalls() ([]call, error) {
	_, n := s.in.Batch()
	calls := []call{{"", false, s.in, cuts(n, 1, n/3, n-2, n-1)}, {".prefill", false, s.in, cuts(n)}}
	if n < 2 {
		return calls, nil
	}
	rows, err := s.batchRows(s.in, s.answers)
	if err != nil {
		return nil, err
	}
	add := func(name string, needs bool, to side, steps int, ends func(n int) []int) {
		in, _ := rows.batch(to, steps)
		_, n := in.Batch()
		calls = append(calls, call{name, needs, in, ends(n)})
	}
	half := func(n int) []int { return cuts(n, n/2) }
	add(".left-padding", true, onTheLeft, 0, half)
	add(".right-padding", false, onTheRight, 0, func(n int) []int { return cuts(n) })
	add(".right-padding-pieces", true, onTheRight, 0, half)
	steps := decodeSteps
	for _, ids := range rows.ids {
		steps = min(steps, len(ids)-1)
	}
	add(".right-padding-decode", false, onTheRight, steps, func(n int) []int { return cuts(n, lasts(n, steps)...) })
	return calls, nil
}

// lastBy makes the check of a runner, in both forms of the graph.
func (s *session) lastBy(name, level string, lim float64, calls []call, openLast, openWhole func() (run.Runner, error)) error {
	failed := func(err error) error {
		if s.computes == onnxpb.TensorProto_BFLOAT16 && name != run.InterpName && strings.Contains(err.Error(), run.NotImplemented) {
			s.add(report.Check{Name: report.CheckLastLogits, Runner: name, Level: level, Against: fromWhole, Verdict: report.Skipped, Detail: "this provider has no kernels of bfloat16 and does not load the graph: run by the interpreter alone"})
			return s.ctx.Err()
		}
		s.add(report.Check{Name: report.CheckLastLogits, Runner: name, Level: level, Against: fromWhole, Verdict: report.Fail, Detail: run.Reason(name, err)})
		return s.ctx.Err()
	}
	last, err := openLast()
	if err != nil {
		return failed(err)
	}
	defer last.Close()
	whole, err := openWhole()
	if err != nil {
		return failed(err)
	}
	defer whole.Close()
	for _, k := range calls {
		c := report.Check{Name: report.CheckLastLogits + k.name, Runner: name, Level: level, Against: fromWhole, Limit: report.Number(lim)}
		if k.positions && !last.Positions() {
			continue
		}
		s.step("%s: %s", name, c.Name)
		begin := time.Now()
		m, err := s.lastOf(last, whole, k)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		c.Seconds = report.Number(time.Since(begin).Seconds())
		switch {
		case err != nil:
			c.Verdict, c.Detail = report.Fail, run.Reason(name, err)
		case !(m.MaxRel <= lim):
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("off by %.3g of the largest value from the logits of its last token at row %d of call %d (limit %.3g)", m.MaxRel, m.WorstRow, m.WorstPosition, lim)
		default:
			c.Verdict = report.Pass
		}
		if err == nil {
			c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine = report.Number(m.MaxAbs), report.Number(m.MaxRel), report.Number(m.NMSE), report.Number(m.Cosine)
			c.KL, c.Top1, c.Positions = report.Number(m.KL), report.Number(m.Top1), m.Positions
		}
		s.add(c)
	}
	return nil
}

// lastOf compares the two, a position of the metrics being a call.
func (s *session) lastOf(last, whole run.Runner, k call) (report.Metrics, error) {
	b, _ := k.in.Batch()
	got, want := &report.Logits{B: b, S: len(k.ends)}, &report.Logits{B: b, S: len(k.ends)}
	var pastLast, pastWhole run.State
	from := 0
	for i, to := range k.ends {
		in := k.in.Slice(from, to)
		one, next, err := last.Run(s.ctx, in, pastLast)
		if err != nil {
			return report.Metrics{}, fmt.Errorf("tokens %d to %d: %w", from, to-1, err)
		}
		pastLast = next
		all, next, err := whole.Run(s.ctx, in, pastWhole)
		if err != nil {
			return report.Metrics{}, fmt.Errorf("tokens %d to %d, %s: %w", from, to-1, fromWhole, err)
		}
		pastWhole = next
		if one.V != all.V || one.S != 1 {
			return report.Metrics{}, fmt.Errorf("logits have shape [%d %d %d]: expected [%d 1 %d]", one.B, one.S, one.V, b, all.V)
		}
		if got.Data == nil {
			got.V, want.V = one.V, one.V
			got.Data, want.Data = make([]float64, b*got.S*got.V), make([]float64, b*got.S*got.V)
		}
		for row := range b {
			column := 0 // of a row that is all padding
			for col := from; col < to; col++ {
				if k.in.Mask[row][col] == 1 {
					column = col - from
				}
			}
			copy(got.At(row, i), one.At(row, 0))
			copy(want.At(row, i), all.At(row, column))
		}
		from = to
	}
	return report.Compare(got, want, nil)
}

// openWhole makes the form of the graph that gives all logits.
func (s *session) openWhole() error {
	s.logits = s.info.Logits
	var err error
	if s.whole, err = run.Whole(s.info); err != nil {
		return err
	}
	if s.logits != "" && s.opts.Runners != nil {
		return hint.Errorf("%s gives the logits of each row's last token: it is verified in a form that gives all of them, which runners of the caller's are not opened on; leave Options.Runners nil, or emit it with "+hint.Logits+" all", s.info.Path)
	}
	return nil
}
