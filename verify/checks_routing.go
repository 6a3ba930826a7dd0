package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// routing is where an answer hangs on which of two experts is chosen, of which
// float32 may choose either.
type routing struct {
	nearest []ref.Choice // near ties of real tokens, in the order of computation
	columns int          // of the last call, its past's counted
	rows    int
	mixers  int // the last block whose tokens are read by later ones
}

// routed is the reference's answer to a prompt, and the first near tie of experts in it,
// "" for none.
func (s *session) routed(in run.Input) (*report.Logits, string, error) {
	t := newRouting(s.model)
	l, _, err := t.watch(s.ref, report.Float32.Roundoff()).Run(s.ctx, in, nil)
	if err != nil || len(t.nearest) == 0 {
		return l, "", err
	}
	c := t.nearest[0]
	return l, tieText(c, fmt.Sprintf("position %d", c.Column)), nil
}

// newRouting is an empty one, of a model with mixtures or without.
func newRouting(m *family.Model) *routing { return &routing{mixers: len(m.Blocks) - 1} }

// watch is the reference, whose choices t is told of.
func (t *routing) watch(r *run.Ref, u float64) *run.Ref {
	return r.Watched(func(c ref.Choice) {
		t.columns, t.rows = max(t.columns, c.Columns), max(t.rows, c.Row+1)
		if c.Near(u) {
			t.nearest = append(t.nearest, c)
		}
	})
}

// routing asks the reference a question anew and looks for near ties; nil where the
// model has no mixtures, and where the reference has no answer.
func (s *session) routing(m *family.Model, r *run.Ref, u float64, ask run.Question) (*routing, error) {
	if !mixes(m) {
		return nil, nil
	}
	s.step("ref: near ties of experts")
	t := newRouting(m)
	if _, err := ask(t.watch(r, u)); err != nil {
		return nil, s.ctx.Err()
	}
	if len(t.nearest) == 0 {
		return nil, nil
	}
	return t, nil
}

// mixes tells whether a model has mixtures of experts.
func mixes(m *family.Model) bool {
	for i := range m.Blocks {
		if m.Blocks[i].Mixture() != nil || m.Blocks[i].Shortcut != nil {
			return true
		}
	}
	return false
}

// before narrows keep to the positions of an answer that no near tie reaches: those
// before the first one of their row, and, where only the last layer's hang in the
// balance, all but theirs. What comes of several calls with pasts of their own cannot be
// told apart, and all of it is reached.
func (t *routing) before(l *report.Logits, keep func(b, s int) bool) func(b, s int) bool {
	first := make([]int, l.B)
	for b := range first {
		first[b] = l.S
	}
	alone := map[[2]int]bool{}
	for _, c := range t.nearest {
		at := c.Column - (t.columns - l.S)
		switch {
		case t.rows != l.B || at < 0:
			return func(int, int) bool { return false }
		case c.Layer == t.mixers:
			alone[[2]int{c.Row, at}] = true
		default:
			first[c.Row] = min(first[c.Row], at)
		}
	}
	return func(b, s int) bool { return s < first[b] && !alone[[2]int{b, s}] && (keep == nil || keep(b, s)) }
}

// undecided judges an answer past its limit by the positions that no near tie of
// experts reaches: where those are within it, it says what keeps the others from
// being judged, else "". Only a cancelled context is an error.
func (s *session) undecided(r run.Runner, w want, got *report.Logits, lim float64, ask run.Question) (string, error) {
	u := report.Float32.Roundoff() // interp's tables are rounded to float32 too
	if r == run.Runner(s.ref) && w.from == run.RefName {
		u = report.Float64.Roundoff()
	}
	t, err := s.routing(s.model, s.ref, u, ask)
	if t == nil {
		return "", err
	}
	left := "no position is before it"
	if m, err := report.Compare(got, w.logits, t.before(w.logits, w.keep)); err == nil {
		if !(m.MaxRel <= lim) {
			return "", nil
		}
		left = fmt.Sprintf("the %d positions that it does not reach are within the limit", m.Positions)
	}
	c := t.nearest[0]
	text := tieText(c, fmt.Sprintf("row %d, %s", c.Row, w.position(c.Row, max(c.Column-(t.columns-w.logits.S), 0))))
	if n := len(t.nearest) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text + "; " + left, nil
}

// tieText says what is nearly a tie, and where.
func tieText(c ref.Choice, where string) string {
	what := fmt.Sprintf("%s %d and %d", c.Of, c.Kept, c.Left)
	if c.Of == "weights" {
		what = fmt.Sprintf("whether experts %d and %d share a weight", c.Kept, c.Left)
	}
	return fmt.Sprintf("a near tie of %s of layer %d at %s: %.2g apart in the router's score, which a relative error of %.2g of what it reads turns", what, c.Layer, where, c.Margin, c.Turn)
}

const undecidedBlame = "either expert is right in float32, so this prompt cannot tell right from wrong from there on: judge by another (" + hint.Seed + ", " + hint.IDs + ")"
