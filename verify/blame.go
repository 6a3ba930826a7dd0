package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// blame says where to look, from what the other runners made of the same
// check, what this runner made of others, and the graph's own data.
func (s *session) blame(check string, r run.Runner) string {
	golden := kindOf(check).has(NeedGolden)
	runner, graph := r.Name(), ""
	if t := run.Exact(s.others); t != nil {
		graph = t.Name()
	}
	switch {
	case runner == run.RefName && golden:
		return "ref disagrees with the given answers: the checkpoint, its configuration or the given file is not what it is taken for"
	case runner == run.RefName:
		return "the reference contradicts itself: a fault of pecvt, please report it"
	case golden && s.verdictOf(check, run.RefName) == report.Fail:
		if s.verdictOf(report.CheckPrefill, runner) == report.Pass {
			return "ref gives the same other answer: the checkpoint, its configuration or the given file is not what it is taken for"
		}
	case runner != graph && s.verdictOf(check, graph) == report.Pass:
		return fmt.Sprintf("the interpreter runs the same graph right: a matter of %s", run.Describe(r)) + s.next()
	}
	if found := s.diagnose(); found != "" {
		return found
	}
	k := kindOf(check)
	switch {
	case k.Blame != "":
		return k.Blame
	case k.AfterPrefill != "" && s.verdictOf(report.CheckPrefill, runner) == report.Pass:
		return k.AfterPrefill
	}
	return "ref and the graph disagree in float64: the emission is wrong" + s.firstLayer() + s.next()
}

// verdictOf returns a check's verdict for a runner, "" where it was not made.
func (s *session) verdictOf(check, runner string) report.Verdict {
	for _, c := range s.report.Checks {
		if c.Name == check && c.Runner == runner {
			return c.Verdict
		}
	}
	return ""
}
