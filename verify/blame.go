package verify

import (
	"fmt"
	"strings"
)

// blame says where to look, from what the other runners made of the same
// check, what this runner made of others, and the graph's own data.
func (s *session) blame(check, runner string) string {
	golden := strings.HasPrefix(check, "golden")
	switch {
	case runner == "ref" && golden:
		return "ref disagrees with the given answers: the checkpoint, its configuration or the given file is not what it is taken for"
	case runner == "ref":
		return "the reference contradicts itself: a fault of pecvt, please report it"
	case golden && s.verdictOf(check, "ref") == Fail:
		if s.verdictOf("prefill", runner) == Pass {
			return "ref gives the same other answer: the checkpoint, its configuration or the given file is not what it is taken for"
		}
	case runner != "interp" && s.verdictOf(check, "interp") == Pass:
		return fmt.Sprintf("the interpreter runs the same graph right: a matter of ONNX Runtime %s (optimisation level %s)", s.report.Runtime, s.opts.level()) + s.next()
	}
	if found := s.diagnose(); found != "" {
		return found
	}
	if s.verdictOf("prefill", runner) == Pass {
		switch check {
		case "chunked-prefill", "decode":
			return "a prompt in one piece is right: the emission is wrong where past meets present (the cache, the positions after it, the mask over it)"
		case "left-padding", "right-padding":
			return "a prompt without padding is right: the emission is wrong in what attention_mask hides, or in the positions beside padding"
		case "window":
			return "a prompt within the window is right: the emission is wrong in the window, or config.json's window was changed after it"
		case "far-positions":
			return "the first positions are right: the emission is wrong at the tables' far end"
		}
	}
	return "ref and the graph disagree in float64: the emission is wrong" + s.firstLayer() + s.next()
}

// verdictOf returns a check's verdict for a runner, "" where it was not made.
func (s *session) verdictOf(check, runner string) Verdict {
	for _, c := range s.report.Checks {
		if c.Name == check && c.Runner == runner {
			return c.Verdict
		}
	}
	return ""
}

// reason is an error's text without the name of the runner, which the check
// carries.
func reason(runner string, err error) string {
	name, _, _ := strings.Cut(runner, "-")
	return strings.TrimPrefix(err.Error(), name+": ")
}
