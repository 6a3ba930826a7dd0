package verify

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/bisect"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// next is the sentence that sends the reader of a failed check on.
func (s *session) next() string {
	if s.opts.Bisect {
		return ""
	}
	return fmt.Sprintf("; run pecvt verify %s "+hint.Bisect, s.dir)
}

// bisect looks for the node where the graph's values leave the budget.
func (s *session) bisect() (err error) {
	if !s.opts.Bisect {
		return nil
	}
	if s.verdictOf(report.CheckInterface, run.InterpName) == report.Fail {
		s.report.Bisect = &report.Bisection{Summary: "the graph's inputs or outputs are wrong, and nothing of it was run: see the check " + report.CheckInterface}
		return nil
	}
	s.report.Bisect, err = bisect.Bisect(s.ctx, s.bisectCase())
	return err
}

// bisectCase is what a bisection has to know.
func (s *session) bisectCase() *bisect.Case {
	in := s.in
	if s.verdictOf(report.CheckReference, run.RefName) == report.Fail {
		in = run.Input{} // it has no answer
	}
	return &bisect.Case{Name: s.report.Model, Dir: s.dir, Info: s.info, Model: s.model, Store: s.meant, Ref: s.ref, Runners: s.others,
		Input: in, Failures: s.failures, Failed: s.report.Failed(), Extract: s.opts.Extract, Force: s.opts.Force, MaxMem: s.opts.MaxMem, Step: s.step}
}

// failedWith notes a failed check for the bisection.
func (s *session) failedWith(name string, r run.Runner, ask run.Question, limit float64) {
	if t, ok := run.AsTapper(r); ok {
		s.failures = append(s.failures, bisect.Failure{Check: name, Runner: t, Ask: ask, Limit: limit})
	}
}

// verifyRepro verifies a folder that a bisection wrote.
func verifyRepro(ctx context.Context, dir string, opts Options) (*report.Report, error) {
	for _, o := range [][2]string{{hint.Golden, opts.Golden}, {hint.Against, opts.Against}, {hint.IDs, opts.IDs}} {
		if o[1] != "" {
			return nil, fmt.Errorf("repro: %s holds one part of a graph: %s does not apply to it", dir, o[0])
		}
	}
	if opts.Bisect || opts.Extract != "" {
		return nil, hint.Errorf("repro: %s holds one part of a graph already: run pecvt verify on it without "+hint.Bisect+" and "+hint.Extract, dir)
	}
	s := &session{ctx: ctx, dir: dir, opts: opts, report: &report.Report{}}
	return bisect.VerifyRepro(ctx, dir, bisect.ReproOptions{ORTLibrary: opts.ORTLibrary, OpsLibrary: opts.OpsLibrary, Providers: opts.providers(), Named: opts.Provider != "", OptLevel: opts.OptLevel,
		Missing: s.missing, Step: s.step})
}
