package verify

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// providers are the execution providers to verify on: the one asked for, else
// the CPU and, where there is one, CUDA.
func (o Options) providers() []string {
	if o.Provider != "" {
		return []string{o.Provider}
	}
	return ort.Providers()
}

// level is the optimisation level that every check runs at.
func (o Options) level() string {
	if o.OptLevel != "" {
		return o.OptLevel
	}
	return ort.OptAll
}

// openORTOn starts ONNX Runtime on a provider at the level that every check
// runs at. A provider that nobody asked for may be missing.
func (s *session) openORTOn(provider string) {
	if provider != ort.ProviderCPU && s.opts.Provider == "" {
		if s.report.Runtime == "" {
			return // no library: what is missing was said already
		}
		begin := time.Now()
		r, err := s.openORT(provider, s.opts.level())
		if errors.Is(err, ort.ErrUnavailable) {
			s.add(report.Check{Name: report.CheckLoad, Runner: s.ortName(provider), Verdict: report.Skipped, Seconds: report.Number(time.Since(begin).Seconds()),
				Detail: "not on this machine: " + hint.Provider + " " + provider + " says what is missing"})
			return
		}
		s.start(s.ortName(provider), func() (run.Runner, error) { return r, err })
		return
	}
	s.start(s.ortName(provider), func() (run.Runner, error) { return s.openORT(provider, s.opts.level()) })
}

// ortName is the name of the runner on a provider.
func (s *session) ortName(provider string) string {
	return run.ORTNameWith(ort.Options{Provider: provider, OpsLibrary: s.opts.OpsLibrary})
}

func (s *session) openORT(provider, level string) (run.Runner, error) {
	lib, err := ort.Load(s.opts.ORTLibrary)
	if err != nil {
		return nil, err
	}
	if s.report.Runtime == "" {
		s.step("onnx runtime %s from %s (%s)", lib.Version, lib.Path, lib.Source)
	}
	s.report.Runtime, s.report.RuntimePath = lib.Version, lib.Path
	return run.OpenORT(cmp.Or(folderOf(s.picked), folderOf(s.left), s.declared()), run.GraphFile, s.info, ort.Options{Provider: provider, OptLevel: level, Threads: s.opts.Threads, OpsLibrary: s.opts.OpsLibrary, ProfileDir: s.profileDir()})
}

// levels runs the graph at the optimisation levels that the other checks do not
// run at: a prompt, decode steps after it, and a padded batch. A fusion can change
// what a graph computes.
func (s *session) levels() error {
	if s.opts.OptLevel != "" {
		return nil
	}
	for _, r := range s.others {
		l, ok := run.AsLeveler(r)
		if !ok {
			continue
		}
		for _, level := range l.Levels() {
			if level == l.Level() {
				continue
			}
			if err := s.atLevel(r.Name(), l, level); err != nil {
				return err
			}
		}
	}
	return nil
}

// atLevel opens a session at a level, runs it and closes it.
func (s *session) atLevel(runner string, l run.Leveler, level string) error {
	s.step("open %s at optimisation level %s", runner, level)
	r, err := l.AtLevel(level)
	if err != nil {
		s.add(report.Check{Name: report.CheckLoad, Runner: runner, Level: level, Verdict: report.Fail, Detail: run.Reason(runner, err), Blame: s.diagnose()})
		return s.ctx.Err()
	}
	defer r.Close()
	others := s.others
	s.others = []run.Runner{r}
	defer func() { s.others = others }()
	for _, k := range table() {
		if !k.Levels {
			continue
		}
		if err := k.make(s); err != nil {
			return err
		}
	}
	s.placement(r)
	return nil
}

// placements closes ONNX Runtime's sessions and tells where their nodes ran.
func (s *session) placements() {
	for _, r := range s.others {
		s.placement(r)
	}
	s.compareLevels()
}

// compareLevels adds to the blame of a check that fails at some optimisation
// levels that others are right.
func (s *session) compareLevels() {
	checks := s.report.Checks
	for i := range checks {
		c := &checks[i]
		if c.Verdict != report.Fail || c.Level == "" {
			continue
		}
		var right []string
		for _, o := range checks {
			if o.Name == c.Name && o.Runner == c.Runner && o.Level != c.Level && o.Verdict == report.Pass && !slices.Contains(right, o.Level) {
				right = append(right, o.Level)
			}
		}
		if len(right) > 0 {
			c.Blame = strings.TrimPrefix(c.Blame+"; ", "; ") + "right at optimisation level " + strings.Join(right, ", ") + ": level " + c.Level + " changes what the graph computes"
		}
	}
}
