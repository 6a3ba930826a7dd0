package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/verify/ort"
)

// progress counts the steps of a verification.
type progress struct {
	done int
	// drifts is the number of steps that the drift will take, counted once the
	// runners are open; -1 before.
	drifts int
	opened bool
}

// Beside the checks, whose rows say how many steps each takes: those of the
// figures, and those that go before the checks of a further optimisation level. It
// is an estimate: what it does not know of makes the rest longer than was said,
// and never ends it early.
const (
	stepsOfCurves = 2
	stepsOfLevel  = 1
)

// step announces a step before it is made.
func (s *session) step(format string, args ...any) {
	if s.opts.Progress == nil {
		return
	}
	s.opts.Progress(fmt.Sprintf(format, args...), s.progress.done, s.planned())
	s.progress.done++
}

// planned is the number of steps that are to be expected, those that were made
// among them; always more than were made.
func (s *session) planned() int {
	p := &s.progress
	if !p.opened && len(s.others) > 0 {
		p.opened, p.drifts = true, s.driftSteps()
	}
	runners := max(len(s.others), 2)
	if s.model == nil { // a repro: who runs it, at every level
		return max(1+len(s.opts.providers())*len(ort.OptLevels()), p.done+1)
	}
	levels := 0
	if s.opts.OptLevel == "" {
		levels = len(ort.OptLevels()) - 1
	}
	n := p.drifts + levels*stepsOfLevel
	for _, k := range table() {
		if s.lacks(k, true) {
			continue
		}
		n += k.steps.once + k.steps.runner*runners
		if k.Levels {
			n += levels * k.steps.runner
		}
	}
	if s.opts.Curves {
		n += stepsOfCurves
	}
	return max(n, p.done+1)
}
