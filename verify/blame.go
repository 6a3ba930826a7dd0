package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// blame says where to look, from what the other runners made of the same
// check, what this runner made of others, and the graph's own data.
func (s *session) blame(check string, r run.Runner) string {
	golden := strings.HasPrefix(check, "golden")
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
		if s.verdictOf("prefill", runner) == report.Pass {
			return "ref gives the same other answer: the checkpoint, its configuration or the given file is not what it is taken for"
		}
	case runner != graph && s.verdictOf(check, graph) == report.Pass:
		return fmt.Sprintf("the interpreter runs the same graph right: a matter of %s", run.Describe(r)) + s.next()
	}
	if found := s.diagnose(); found != "" {
		return found
	}
	if text := lawBlame[check]; text != "" {
		return text
	}
	if s.verdictOf("prefill", runner) == report.Pass {
		switch check {
		case "batch":
			return "one row alone is right: rows of a batch read each other, or the emission knows one row only"
		case "positions":
			return "the first positions are right: the graph's spectrum is not config.json's far out (a scaling or a ramp is missing), or the tables' far rows are wrong"
		case "left-padding-decode":
			return "a prompt without padding is right: the emission is wrong where tokens follow padding (the mask over the past, or the positions after it)"
		case "right-padding-decode":
			return "a prompt without padding is right: the emission is wrong where padding lies in the past (the mask over it, or what is carried across it)"
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

// lawBlame says what a broken law means.
var lawBlame = map[string]string{
	"law-causal":   "a query sees what comes after it: the emission of the mask, or of a bias, is wrong",
	"law-shift":    "logits depend on absolute positions: queries and keys turn by different tables, signs or positions, or the bias of one side is missing",
	"law-distance": "scores of equal tokens depend on absolute positions: queries and keys turn by different tables, signs or positions, or what turns is no rotation",
	"law-blind":    "a plane that the encoding drops turns: the tables, or the coordinates that they are paired with, are wrong",
	"law-gates":    "a bias rewards distance: the sign of a slope or of a gate, or which of i and j it counts from, is wrong",
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
