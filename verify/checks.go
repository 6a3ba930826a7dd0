package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/pecvt/pecvt/convert/safetensors"
)

// want is the reference's answer to an input, computed once per check.
type want struct {
	logits *Logits
	keep   func(b, s int) bool
	from   string
}

// runChecks makes every check that the graph's form allows.
func (s *session) runChecks() error {
	ids, err := s.promptIDs()
	if err != nil {
		return err
	}
	in := prompt(ids, 0)
	s.report.Tokens = len(ids[0])
	s.step("ref: prefill of %d tokens", len(ids[0]))
	begin := time.Now()
	logits, _, err := s.ref.Run(s.ctx, in, nil)
	if err != nil {
		return err
	}
	s.add(Check{Name: "reference", Runner: "ref", Verdict: Info, Positions: len(ids[0]), Seconds: Number(time.Since(begin).Seconds()),
		Detail: fmt.Sprintf("forward pass of %d tokens in float64", len(ids[0]))})
	w := want{logits: logits, from: "ref"}
	for _, check := range []func(Input, want) error{s.prefill, s.chunked, s.decode, s.leftPadding, s.rightPadding} {
		if err := check(in, w); err != nil {
			return err
		}
	}
	if err := s.farPositions(ids); err != nil {
		return err
	}
	if err := s.tableEnd(ids); err != nil {
		return err
	}
	if s.opts.Golden != "" {
		if err := s.golden(); err != nil {
			return err
		}
	}
	if s.opts.Against != "" {
		return s.drift(ids)
	}
	return nil
}

// promptIDs returns the tokens the checks run on.
func (s *session) promptIDs() ([][]int64, error) {
	n := min(s.opts.Tokens, s.info.MaxLength)
	if s.opts.IDs == "" {
		return generated(n, s.model.Vocab, s.opts.Seed), nil
	}
	f, err := safetensors.Open(s.opts.IDs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := readIDs(f, s.model.Vocab)
	if err != nil {
		return nil, err
	}
	return [][]int64{rows[0][:min(n, len(rows[0]))]}, nil
}

func (s *session) add(c Check) { s.report.Checks = append(s.report.Checks, c) }

// compare runs one runner and records how far its answer is from the wanted
// one. Only a cancelled context is an error: whatever else a runner does wrong
// is a finding.
func (s *session) compare(name string, r Runner, w want, lim float64, run func(Runner) (*Logits, error)) error {
	s.step("%s: %s", r.Name(), name)
	begin := time.Now()
	c := Check{Name: name, Runner: r.Name(), Against: w.from, Limit: Number(lim)}
	got, err := run(r)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = Number(time.Since(begin).Seconds())
	var m Metrics
	if err == nil {
		m, err = Compare(got, w.logits, w.keep)
	}
	if err != nil {
		c.Verdict, c.Detail = Fail, err.Error()
		s.add(c)
		return nil
	}
	c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine = Number(m.MaxAbs), Number(m.MaxRel), Number(m.NMSE), Number(m.Cosine)
	c.KL, c.Top1, c.Positions = Number(m.KL), Number(m.Top1), m.Positions
	c.Verdict = Pass
	if !(m.MaxRel <= lim) {
		c.Verdict = Fail
		c.Detail = fmt.Sprintf("off by %.3g of the largest logit at row %d, position %d (limit %.3g); %s", m.MaxRel, m.WorstRow, m.WorstPosition, lim, s.blame(name, r.Name()))
	}
	s.add(c)
	return nil
}

// blame says where to look, from what the other runners made of the same check.
func (s *session) blame(check, runner string) string {
	switch runner {
	case "ref":
		return "the reference disagrees: the checkpoint or its configuration is not what it is taken for"
	case "interp":
		return "ref and the graph disagree in float64: the emission is wrong"
	}
	for _, c := range s.report.Checks {
		if c.Name == check && c.Runner == "interp" {
			if c.Verdict == Pass {
				return fmt.Sprintf("the interpreter runs the same graph right: a matter of ONNX Runtime %s (optimisation level %s)", s.report.Runtime, s.opts.OptLevel)
			}
			return "the interpreter fails on the same graph: the emission is wrong"
		}
	}
	return "the graph or the runtime is wrong"
}

// all runs a check on every runner but ref.
func (s *session) all(name string, w want, run func(Runner) (*Logits, error)) error {
	for _, r := range s.others {
		if err := s.compare(name, r, w, limitFor(r.Name()), run); err != nil {
			return err
		}
	}
	return nil
}

// everyone runs a check on ref as well, against its own prefill.
func (s *session) everyone(name string, w want, run func(Runner) (*Logits, error)) error {
	if err := s.compare(name, s.ref, w, selfLimit, run); err != nil {
		return err
	}
	return s.all(name, w, run)
}

// selfLimit bounds what the order of additions can change between two float64
// runs of the same model: 2^20 unit roundoffs.
const selfLimit = 1.2e-10

// skip records a check that the graph's form rules out.
func (s *session) skip(name string, r Runner, why string) {
	s.add(Check{Name: name, Runner: r.Name(), Verdict: Skipped, Detail: why})
}

// errNoFailure is what a runner earns that answers where it must refuse.
var errNoFailure = errors.New("no error")
