package verify

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// profileDir is a folder for sessions' profiles, removed when the verification
// ends; "" where there can be none.
func (s *session) profileDir() string {
	if s.profiles == nil {
		own, err := fsio.NewTemporary("", "profile")
		if err != nil {
			s.warn("which provider ran each node cannot be told: %v", err)
			return ""
		}
		s.profiles = own
	}
	return s.profiles.Dir
}

// placement closes a runner of ONNX Runtime, whose profile is complete then, and
// checks that every node of it ran on the provider that was asked for. A runner
// of another kind is left as it is.
func (s *session) placement(r run.Runner) {
	p, ok := run.AsPlacer(r)
	if !ok || !p.Ran() {
		return // what never ran was placed nowhere; its own check says why
	}
	short, full := p.Wanted()
	c := report.Check{Name: report.CheckPlacement, Runner: r.Name(), Level: run.LevelOf(r), Verdict: report.Pass, Against: short}
	runs, err := p.Placed()
	switch {
	case errors.Is(err, run.ErrNoProfile) && s.opts.Runners != nil:
		c.Verdict, c.Detail = report.Skipped, "the runner was opened without a profile of where its nodes run"
		s.add(c)
		return
	case errors.Is(err, run.ErrNoProfile):
		c.Verdict, c.Detail = report.Incomplete, "where the nodes ran is not known: no folder for the runtime's profile can be made in "+os.TempDir()
		c.Blame = "set TMPDIR to a folder that can be written to"
		s.add(c)
		return
	case err != nil:
		c.Verdict, c.Detail = report.Incomplete, "where the nodes ran is not known: "+run.Reason(r.Name(), err)
		s.add(c)
		return
	}
	rows, stray := placed(runs, full, r.Name(), run.LevelOf(r))
	s.report.Placement = append(s.report.Placement, rows...)
	if len(stray) > 0 {
		c.Verdict = report.Fail
		c.Detail = fmt.Sprintf("%d of %d nodes ran elsewhere: %s", len(stray), len(runs), strings.Join(stray[:min(len(stray), 3)], ", "))
		c.Blame = fmt.Sprintf("%s has no kernel for these on %s and fell back in silence: use another version, or emit the graph in the other form ("+hint.Attention+")", run.Describe(r), full)
	}
	s.add(c)
}

// placed sums node runs up by provider, and names those that ran on another than
// the runner's.
func placed(runs []ort.NodeRun, provider, runner, level string) (rows []report.Placement, stray []string) {
	by := map[string]*report.Placement{}
	for _, n := range runs {
		p := by[n.Provider]
		if p == nil {
			p = &report.Placement{Runner: runner, Level: level, Provider: n.Provider, Ops: map[string]int{}}
			by[n.Provider] = p
		}
		p.Nodes++
		p.Ops[n.Op]++
		if n.Provider != provider {
			stray = append(stray, fmt.Sprintf("%s (%s, on %s)", n.Node, n.Op, n.Provider))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, *by[name])
	}
	return rows, stray
}
