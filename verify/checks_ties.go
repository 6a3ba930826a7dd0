package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// nearTie tells of the first tokens that an answer within its limit changed.
func nearTie(m report.Metrics) string {
	t := m.Ties[0]
	text := fmt.Sprintf("another first token at row %d, position %d: %d instead of %d, which the reference puts %.3g ahead (the logits there are off by up to %.3g)",
		t.Row, t.Position, t.Got, t.Want, t.Margin, t.Error)
	if n := len(m.Ties) - 1; n > 0 {
		text += fmt.Sprintf("; and at %d more", n)
	}
	return text
}

const nearTieBlame = "the two tokens are nearer to each other than the arithmetic is to the reference, so this prompt cannot tell right from wrong there: judge by another (" + hint.Seed + ", " + hint.IDs + "), or compare what is generated"

// tooClose tells whether a position of the reference's answers is too near a tie
// for float32 to keep its first token.
func tooClose(l *report.Logits) bool { return closest(l) != "" }

// closest says where, "" for nowhere.
func closest(l *report.Logits) string {
	largest := 0.0
	for _, x := range l.Data {
		largest = max(largest, x, -x)
	}
	for i := range l.B * l.S {
		row := l.Data[i*l.V : (i+1)*l.V]
		first := report.ArgMax(row)
		for id, x := range row {
			if x < row[first] && row[first]-x < closeMargin*largest {
				return fmt.Sprintf("a near tie of tokens %d and %d at position %d, %.2g apart", first, id, i%l.S, row[first]-x)
			}
		}
	}
	return ""
}

// closeMargin is a margin, in parts of the largest logit, that float32's
// rounding may use up.
const closeMargin = 1e-5

// prompts is how many generated prompts are tried for one without a near tie.
const prompts = 3

// reference computes the float64 answers to the prompt. A generated prompt with
// a near tie of tokens or of experts, which no float32 runtime has to get right, gives
// way to the next seed's.
func (s *session) reference() (run.Input, *report.Logits, error) {
	for try := 0; ; try++ {
		in := run.Prompt(s.ids, 0)
		s.step("ref: prefill of %d tokens", len(s.ids[0]))
		l, why, err := s.routed(in)
		if err != nil || s.opts.IDs != "" {
			return in, l, err
		}
		if why == "" {
			why = closest(l)
		}
		if why == "" || !s.redraw("prompt", s.report.Seed, try, why) {
			return in, l, nil
		}
		s.report.Seed++
		s.ids = run.RandomIDs(len(s.ids[0]), s.model.Vocab, s.report.Seed)
	}
}

// redraw records a prompt that gives way to another, and tells whether one is left
// to try: a model may have its ties in every prompt.
func (s *session) redraw(input string, seed int64, try int, why string) bool {
	if try == prompts-1 {
		s.warn("each of %d generated prompts (%s) has a near tie, the last one too: %s", prompts, input, why)
		return false
	}
	s.report.Redrawn = append(s.report.Redrawn, report.Redrawn{Input: input, Seed: seed, Why: why})
	return true
}
