package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// openRunners starts the runners.
func (s *session) openRunners() error {
	if s.opts.Runners != nil {
		return s.admit(s.opts.Runners)
	}
	s.start(run.InterpName, func() (run.Runner, error) { return run.OpenInterp(s.info) })
	for _, provider := range s.opts.providers() {
		s.openORTOn(provider)
	}
	return s.ctx.Err()
}

// admit takes runners that the caller opened.
func (s *session) admit(list []run.Runner) error {
	names := map[string]bool{run.RefName: true}
	for _, r := range list {
		if names[r.Name()] {
			return fmt.Errorf("runner %q: the name is another's: expected one of its own", r.Name())
		}
		names[r.Name()] = true
		a := r.Arithmetic()
		if _, err := a.Tolerance(); err != nil {
			return fmt.Errorf("runner %q: %w", r.Name(), err)
		}
		if !rounds(a) {
			continue
		}
		models := s.measuredOn()
		if _, err := models[0].in(a); err != nil {
			return fmt.Errorf("runner %q: %w", r.Name(), err)
		}
	}
	s.others = slices.Clone(list)
	for _, must := range s.opts.Require {
		if !slices.ContainsFunc(list, func(r run.Runner) bool { return strings.HasPrefix(r.Name(), must) }) {
			s.add(report.Check{Name: report.CheckLoad, Runner: must, Verdict: report.Fail, Detail: "required, and not among the runners that were brought"})
		}
	}
	return s.ctx.Err()
}

// start opens a runner and records what keeps it from running.
func (s *session) start(name string, open func() (run.Runner, error)) {
	s.step("open %s", name)
	r, err := open()
	if err == nil {
		s.others = append(s.others, r)
		return
	}
	if errors.Is(err, ort.ErrUnavailable) {
		s.add(s.missing(name, err))
		return
	}
	c := report.Check{Name: report.CheckLoad, Runner: name, Verdict: report.Fail, Detail: run.Reason(name, err)}
	c.Blame = s.strayLink()
	if c.Blame == "" {
		c.Blame = s.diagnose()
	}
	s.add(c)
}

// missing is the check of a runner whose library is not there.
func (s *session) missing(name string, err error) report.Check {
	c := report.Check{Name: report.CheckLoad, Runner: name, Verdict: report.Unavailable, Detail: run.Reason(name, err)}
	for _, must := range s.opts.Require {
		if strings.HasPrefix(name, must) {
			c.Verdict, c.Detail = report.Fail, "required and unavailable: "+c.Detail
		}
	}
	return c
}

// folderOf is a temporary folder's path, "" where there is none.
func folderOf(t *fsio.Temporary) string {
	if t == nil {
		return ""
	}
	return t.Dir
}

func (s *session) close() {
	if s.opts.Runners == nil {
		for _, r := range s.others {
			r.Close()
		}
	}
	for _, made := range []*fsio.Temporary{s.whole, s.left, s.picked, s.profiles} {
		made.Remove()
	}
	if s.meant != nil && s.meant != s.ckpt {
		s.meant.Close()
	}
	if s.ckpt != nil {
		s.ckpt.Close()
	}
	if s.sourceCkpt != nil {
		s.sourceCkpt.Close()
	}
	if s.given != nil {
		s.given.File.Close()
	}
}
