package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// Need is something without which a check is not made.
type Need string

const (
	// NeedRunners is a graph whose interface is right, and who runs it.
	NeedRunners Need = "a graph that can be run"
	// NeedReference is an answer of the reference.
	NeedReference Need = "an answer of the reference"
	// NeedGolden is a file of given answers, NeedSource the model that was
	// converted.
	NeedGolden Need = "given answers"
	NeedSource Need = "the source"
	// NeedWindow is a layer with a sliding window, NeedNoWindow a model without.
	NeedWindow   Need = "a sliding window"
	NeedNoWindow Need = "no sliding window"
	// NeedRounding is a graph that declares products which round what enters them.
	NeedRounding Need = "products that round what enters them"
	// NeedHalf is a graph that computes in 16 bits, or says so.
	NeedHalf Need = "a graph of 16 bits"
	// NeedLast is a graph that gives the logits of each row's last token.
	NeedLast Need = "a graph that gives one position's logits"
	// NeedLayers is a choice of layers.
	NeedLayers Need = "a choice of layers"
	// NeedRepro is a folder that a bisection wrote, of which nothing else is made.
	NeedRepro Need = "a repro"
)

// Kind is a row of the table of checks: what a line of a report with its name is
// about.
type Kind struct {
	Name string
	// Meaning says what must hold.
	Meaning string
	// Needs are all of what a verification must have for the check to be made.
	Needs []Need
	// Blame says where to look when it fails and neither the other runners' answers
	// nor the graph's own data tell more; of a runner that the check prefill passes,
	// AfterPrefill does. Empty for a check that says it from what it found.
	Blame, AfterPrefill string
	// Levels says that it is made at every optimisation level of a runner.
	Levels bool

	// other says that its figures are of other values than logits, input names
	// the tokens that its budget is measured on: "" is the prompt, ownInput the
	// check's own.
	other bool
	input string
	steps steps
	when  phase
	make  func(*session) error // nil where another row's makes it too
}

const ownInput = "*"

// steps are those that a check announces: once, and for each runner.
type steps struct{ once, runner int }

// phase is when a check is made.
type phase uint8

const (
	ofFolder  phase = iota // before anything is run
	ofGraph                // in a part of the graph, before the runners are open
	ofRunners              // of the runners' answers, before the other levels
	ofOthers               // of theirs and others' answers, after them
	atEnd                  // when they have been
	ofRepro                // of a repro alone
)

// Checks is the table of checks, in the order in which they are made.
func Checks() []Kind { return table() }

// kindOf returns the row of a check. It panics on a name that has none.
func kindOf(name string) Kind {
	name, _, _ = strings.Cut(name, ".")
	for _, k := range table() {
		if k.Name == name {
			return k
		}
	}
	panic(fmt.Sprintf("verify: no check is named %q", name))
}

// has tells whether a check needs something.
func (k Kind) has(n Need) bool { return slices.Contains(k.Needs, n) }

// has tells whether a verification has what a check needs.
func (s *session) has(n Need) bool {
	switch n {
	case NeedRunners:
		return !s.unrunnable && (len(s.others) > 0 || s.verdictOf(report.CheckInterface, run.InterpName) == report.Pass)
	case NeedReference:
		return len(s.in.IDs) > 0
	case NeedGolden:
		return s.given != nil
	case NeedSource:
		return s.source != nil
	case NeedLayers:
		return len(s.opts.Layers) > 0
	case NeedWindow:
		return len(s.spans()) > 0
	case NeedNoWindow:
		return len(s.spans()) == 0
	case NeedHalf:
		return s.half() && s.picked == nil // the graph as it is has all layers
	case NeedLast:
		return s.whole != nil && s.picked == nil
	case NeedRounding:
		return s.left != nil && s.info.Accuracy == "int8" && s.picked == nil
	}
	return false
}

// lacks tells whether something is missing that a check needs. Before the
// reference has answered it is expected to, as the runners are.
func (s *session) lacks(k Kind, expected bool) bool {
	for _, n := range k.Needs {
		if !(expected && (n == NeedRunners || n == NeedReference)) && !s.has(n) {
			return true
		}
	}
	return false
}

// makeAll makes the checks of a phase. Only what keeps the verification from
// being made is an error.
func (s *session) makeAll(when phase) error {
	for _, k := range table() {
		if k.when != when || k.make == nil || s.lacks(k, false) {
			continue
		}
		if err := k.make(s); err != nil {
			return err
		}
	}
	return nil
}
