package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// want is the reference's answer to an input, computed once per check.
type want struct {
	logits *report.Logits
	keep   func(b, s int) bool
	from   string
	first  int // position of the first column
	// at, where not nil, is the position of a column.
	at func(b, s int) int64
}

// answer computes the reference's answer to the prompt, without which nothing can
// be compared. Weights that are known to be wrong may have none.
func (s *session) answer() error {
	begin := time.Now()
	in, logits, err := s.reference()
	if err != nil && s.ctx.Err() == nil && s.verdictOf(report.CheckWeights, run.RefName) == report.Fail {
		s.add(report.Check{Name: report.CheckReference, Runner: run.RefName, Verdict: report.Fail, Detail: run.Reason(run.RefName, err), Blame: s.diagnose()})
		return nil
	}
	if err != nil {
		return err
	}
	n := len(s.ids[0])
	s.in, s.answers = in, want{logits: logits, from: run.RefName}
	s.report.Tokens = n
	s.add(report.Check{Name: report.CheckReference, Runner: run.RefName, Verdict: report.Info, Positions: n, Seconds: report.Number(time.Since(begin).Seconds()),
		Detail: fmt.Sprintf("forward pass of %d tokens in float64", n) + s.leftOut})
	return nil
}

// promptIDs returns the tokens the checks run on.
func (s *session) promptIDs() ([][]int64, error) {
	n := s.opts.Tokens
	if w := s.spans(); n == defaultTokens && len(w) > 0 && w[0] <= longestWindowedPrompt {
		n = max(n, w[0]+16)
	}
	n = min(n, s.info.MaxLength)
	if n < s.opts.Tokens && s.opts.Tokens > defaultTokens {
		s.warn("the graph's tables hold %d positions: a prompt of %d tokens instead of %d", s.info.MaxLength, n, s.opts.Tokens)
	}
	if s.opts.IDs == "" {
		return run.RandomIDs(n, s.model.Vocab, s.opts.Seed), nil
	}
	f, err := safetensors.Open(s.opts.IDs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := run.IDsOf(f, s.model.Vocab)
	if err != nil {
		return nil, err
	}
	if n < len(rows[0]) || len(rows) > 1 {
		s.leftOut = fmt.Sprintf(", the first of %d rows of %d in %s ("+hint.Tokens+" asks for more of it)", len(rows), len(rows[0]), s.opts.IDs)
	}
	return [][]int64{rows[0][:min(n, len(rows[0]))]}, nil
}

// add records a check, with its row's blame where it fails without one of its own;
// it panics on a name that is not in the table.
func (s *session) add(c report.Check) {
	k := kindOf(c.Name)
	if c.Other = k.other; c.Verdict == report.Fail && c.Blame == "" {
		c.Blame = k.Blame
	}
	s.report.Checks = append(s.report.Checks, c)
}

// compare runs one runner and records how far its answer is from the wanted
// one. Only a cancelled context is an error: whatever else a runner does wrong
// is a finding.
func (s *session) compare(name string, r run.Runner, w want, lim float64, ask run.Question) error {
	lim, err := s.budget(name, r, w, lim, ask)
	if err != nil {
		return err
	}
	s.step("%s: %s", r.Name(), name)
	begin := time.Now()
	c := report.Check{Name: name, Runner: r.Name(), Level: run.LevelOf(r), Against: w.from, Limit: report.Number(lim)}
	got, err := ask(r)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	var m report.Metrics
	if err == nil {
		m, err = report.Compare(got, w.logits, w.keep)
	}
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(r.Name(), err)
		s.failedWith(name, r, ask, lim)
		c.Blame = s.blame(name, r)
		s.add(c)
		return nil
	}
	s.observe(c, w, got)
	c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine = report.Number(m.MaxAbs), report.Number(m.MaxRel), report.Number(m.NMSE), report.Number(m.Cosine)
	c.KL, c.Top1, c.Positions = report.Number(m.KL), report.Number(m.Top1), m.Positions
	c.Verdict = report.Pass
	if !(m.MaxRel <= lim) {
		detail, err := s.rounding(r, w, got, ask)
		if err != nil {
			return err
		}
		if detail == "" {
			if detail, err = s.undecided(r, w, got, lim, ask); err != nil {
				return err
			}
			if detail != "" {
				c.Verdict, c.Blame, m.Ties = report.Ambiguous, undecidedBlame, nil
			}
		}
		if c.Detail = detail; detail == "" {
			c.Verdict = report.Fail
			c.Detail = fmt.Sprintf("off by %.3g of the largest value at row %d, %s (limit %.3g)", m.MaxRel, m.WorstRow, w.position(m.WorstRow, m.WorstPosition), lim)
			s.failedWith(name, r, ask, lim)
			if c.Blame = s.beyondCap(name, r, w); c.Blame == "" {
				c.Blame = s.blame(name, r)
			}
		}
	}
	if c.Verdict == report.Pass && len(m.Ties) > 0 && !kindOf(name).other {
		c.Verdict, c.Detail, c.Blame = report.Ambiguous, strings.TrimPrefix(c.Detail+"; "+nearTie(m), "; "), nearTieBlame
	}
	s.add(c)
	return nil
}

// rounding tells whether an answer of the interpreter that is past its limit is
// that of the reference with the graph's constants rounded to float32, to the
// digits of float64: then it says so, else "". Only a cancelled context is an
// error.
func (s *session) rounding(r run.Runner, w want, got *report.Logits, ask run.Question) (string, error) {
	if r == run.Runner(s.ref) || !run.InFloat64(r) || w.from != run.RefName {
		return "", nil
	}
	s.step("ref: with the graph's rounded constants")
	rounded, err := ask(s.ref.Rounded())
	if s.ctx.Err() != nil {
		return "", s.ctx.Err()
	}
	if err != nil {
		return "", nil
	}
	m, err := report.Compare(got, rounded, w.keep)
	if err != nil {
		return "", nil
	}
	if !(m.MaxRel <= report.RoundedLimit) {
		if w.logits == nil {
			if w.logits, err = ask(s.ref); err != nil {
				return "", s.ctx.Err()
			}
		}
		return s.biasRounding(w, got, rounded), nil
	}
	return fmt.Sprintf("past the limit by the rounding of the cos and sin tables to float32, which large scores magnify (the check tables bounds it): off by %.3g of the largest value from ref with the same rounding (limit %.0e)", m.MaxRel, report.RoundedLimit), nil
}

// biasRounding allows a graph with a bias budgetC times what the rounding of its
// constants makes of the reference: a bias is held in a form of its own (over
// the scale, in parts), whose rounding is as large but not the same.
func (s *session) biasRounding(w want, got, rounded *report.Logits) string {
	if s.broken(func(a *family.Attention) string {
		if a.Bias != nil {
			return "bias"
		}
		return ""
	}) == "" {
		return ""
	}
	made, err := report.Compare(rounded, w.logits, w.keep)
	if err != nil {
		return ""
	}
	m, err := report.Compare(got, w.logits, w.keep)
	if err != nil || !(m.MaxRel <= report.BudgetC*made.MaxRel) {
		return ""
	}
	return fmt.Sprintf("past the limit by the rounding of the graph's constants to float32, which large scores magnify: the same rounding puts the reference %.3g of the largest value off, and %d times that is allowed beside a bias", made.MaxRel, report.BudgetC)
}

// all runs a check on every runner but ref.
func (s *session) all(name string, w want, ask run.Question) error {
	for _, r := range s.others {
		if err := s.compare(name, r, w, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}

// everyone runs a check on ref as well, once, against its own prefill.
func (s *session) everyone(name string, w want, ask run.Question) error {
	if s.verdictOf(name, run.RefName) == "" {
		if err := s.compare(name, s.ref, w, selfLimit, ask); err != nil {
			return err
		}
	}
	return s.all(name, w, ask)
}

// selfLimit bounds what the order of additions can change between two float64
// runs of the same model: 2^20 unit roundoffs.
const selfLimit = 1.2e-10

// skip records a check that the graph's form rules out.
func (s *session) skip(name string, r run.Runner, why string) {
	s.add(report.Check{Name: name, Runner: r.Name(), Level: run.LevelOf(r), Verdict: report.Skipped, Detail: why})
}

// lack records for every runner a check that a prompt of one token cannot
// make: the encoding is not seen to work without it, so it is no pass.
func (s *session) lack(name, why string) {
	for _, r := range append([]run.Runner{s.ref}, s.others...) {
		s.add(report.Check{Name: name, Runner: r.Name(), Verdict: report.Incomplete, Detail: why + "; ask for a longer one (" + hint.Tokens + ", " + hint.IDs + "), or emit the graph with a larger " + hint.MaxLength})
	}
}
