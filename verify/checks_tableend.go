package verify

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// tableEnd: a position outside the tables must leave no answer that could be taken
// for one: every logit of its row of the batch is NaN, whatever the tables give.
// The interpreter looks nothing up outside a table, but goes on with what does not
// turn, as CUDA does; a runner that stops with an error of its own is right too, but
// that is not the graph's doing.
func (s *session) tableEnd() error {
	length := s.info.MaxLength
	for _, r := range s.others {
		found := s.outsideTables
		if !r.Positions() {
			p, why := s.pastFor(r, length)
			if p == nil {
				s.skip(report.CheckTableEnd, r, "the graph takes no position_ids, and "+why)
				continue
			}
			found = func(r run.Runner, ids []int64) string {
				l, err := p.Run(s.ctx, r, ids[:1])
				return s.plausible(r, length, l, 0, err)
			}
		}
		s.step("%s: table-end", r.Name())
		c := report.Check{Name: report.CheckTableEnd, Runner: r.Name(), Level: run.LevelOf(r), Verdict: report.Pass, Against: "no number", Positions: 1}
		c.Detail = found(r, s.ids[0])
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if c.Detail != "" {
			c.Verdict, c.Blame = report.Fail, kindOf(report.CheckTableEnd).Blame
		} else if run.InFloat64(r) {
			c.Verdict, c.Detail = s.guarded()
		}
		s.add(c)
	}
	return nil
}

// guarded tells whether the head reads nothing of the layers but through the
// guard. Attention spreads a NaN in most runtimes, so that the logits alone do not
// say.
func (s *session) guarded() (report.Verdict, string) {
	p := run.NewPlan(s.info.Model)
	if _, ok := p.Maker[guardOf(names.Guard)]; !ok {
		return report.Incomplete, unnamed(names.Guard)
	}
	seen := map[string]bool{guardOf(names.Guard): true}
	var reaches func(value string) bool
	reaches = func(value string) bool {
		i, made := p.Maker[value]
		if seen[value] || !made {
			return false
		}
		seen[value] = true
		layer, _ := names.Split(value)
		return layer >= 0 && !p.Fixed[value] || slices.ContainsFunc(p.Nodes[i].GetInput(), reaches)
	}
	if reaches(names.Logits) {
		return report.Fail, fmt.Sprintf("the logits do not follow from %s alone: where attention swallows a NaN, as OpenVINO's does, a position outside the tables is answered", names.Guard)
	}
	return report.Pass, ""
}

// guardOf is the value that a node of the guard makes.
func guardOf(node string) string { return node + "_output_0" }

// outsideTables puts one position before the tables, past them and far past them
// into each corner and the middle of a batch: a guard that looks at one row or one
// column of the positions misses it in another. It tells of the first that is not
// answered as it should be, "" where all are.
func (s *session) outsideTables(r run.Runner, ids []int64) string {
	const rows = 3
	n := max(min(len(ids), 3, s.info.MaxLength-1), 1)
	list := slices.Repeat([][]int64{ids[:n]}, rows)
	right, past, err := r.Run(s.ctx, run.Prompt(list, 0), nil)
	if err != nil {
		return run.Reason(r.Name(), err)
	}
	for _, position := range []int64{-1, int64(s.info.MaxLength), 1 << 33} {
		for i, corner := range [][2]int{{rows / 2, n / 2}, {0, 0}, {0, n - 1}, {rows - 1, 0}, {rows - 1, n - 1}} {
			row := corner[0]
			in := run.Prompt(list, 0)
			in.Positions[row][corner[1]] = position
			found, after := s.rowOutside(r, int(position), in, nil, row)
			switch {
			case s.ctx.Err() != nil:
				return ""
			case found == "" && after != nil:
				found = others(r, after.logits, right, row)
				if found == "" && i == 0 && n < s.info.MaxLength {
					found = s.stillOutside(r, int(position), list, n, row, after.state)
				}
			}
			if found != "" {
				return fmt.Sprintf("row %d, token %d of a batch of %d: %s", row, corner[1], rows, found)
			}
		}
		if found := s.reachesOutside(r, int(position), list, past); found != "" {
			return fmt.Sprintf("a token after %d positions inside: %s", n, found)
		}
	}
	return ""
}

// reachesOutside has a row of the batch come to a position outside after a past
// inside, as who decodes past the end does: a guard may see the first call alone.
func (s *session) reachesOutside(r run.Runner, position int, list [][]int64, past run.State) string {
	const row = 1
	n := len(list[0])
	if n >= s.info.MaxLength {
		return ""
	}
	in := oneMore(list, n)
	right, _, err := r.Run(s.ctx, in, past)
	if err != nil {
		return run.Reason(r.Name(), err)
	}
	in.Positions[row][0] = int64(position)
	found, after := s.rowOutside(r, position, in, past, row)
	if found == "" && after != nil {
		found = others(r, after.logits, right, row)
		if found == "" && n+1 < s.info.MaxLength {
			found = s.stillOutside(r, position, list, n+1, row, after.state)
		}
	}
	return found
}

// oneMore gives each row its first token again at position n, after n in its past.
func oneMore(list [][]int64, n int) run.Input {
	next := run.Prompt(slices.Repeat([][]int64{list[0][:1]}, len(list)), int64(n))
	for b := range next.Mask {
		next.Mask[b] = slices.Repeat([]int64{1}, n+1)
	}
	return next
}

// answer is what a call left.
type answer struct {
	logits *report.Logits
	state  run.State
}

// rowOutside makes a call in which a row is outside the tables, now or in its past,
// and tells what is wrong with the answer to it; nil is a call that was refused.
// The guard is asked itself where values are shown: attention may make a row NaN,
// and not every runtime's does.
func (s *session) rowOutside(r run.Runner, position int, in run.Input, past run.State, row int) (string, *answer) {
	var a answer
	var err error
	var passed []bool
	if t, ok := run.AsTapper(r); ok && run.InFloat64(r) {
		a.logits, a.state, err = t.Tap(s.ctx, in, past, []string{guardOf(names.GuardTokenRows)}, func(_ string, v *interp.Array) error {
			passed = v.B
			return nil
		})
	} else {
		a.logits, a.state, err = r.Run(s.ctx, in, past)
	}
	if found := s.plausible(r, position, a.logits, row, err); found != "" || err != nil {
		return found, nil
	}
	for t := range a.logits.S {
		if k := row*a.logits.S + t; k < len(passed) && passed[k] {
			return fmt.Sprintf("token %d: %s lets it pass: attention alone makes its logits NaN, which not every runtime's does", t, names.GuardTokenRows), nil
		}
	}
	return "", &a
}

// stillOutside asks for a token more, at position n inside the tables, after a
// position of a row was outside: that row's answers mean nothing from then on.
func (s *session) stillOutside(r run.Runner, position int, list [][]int64, n, row int, past run.State) string {
	next := oneMore(list, n)
	found, after := s.rowOutside(r, position, next, past, row)
	if other := (row + 1) % len(list); found == "" && after != nil && !finite(after.logits, other) {
		found = fmt.Sprintf("row %d is not finite either, whose positions are inside", other)
	}
	if found != "" {
		return "in the next call, " + found
	}
	return ""
}

// plausible tells what is wrong with the answer to a position outside the tables in
// a row, "" where it is none that could be believed.
func (s *session) plausible(r run.Runner, position int, l *report.Logits, row int, err error) string {
	where := fmt.Sprintf("position %d of a table of %d rows", position, s.info.MaxLength)
	switch {
	case err != nil && run.NamesNodes(r):
		return fmt.Sprintf("%s is an error where every logit should be NaN: it is left to the runtime, and not every one refuses it: %s", where, run.Reason(r.Name(), err))
	case err != nil && !ofPosition(err):
		return fmt.Sprintf("%s is an error, but not of the position: %s", where, run.Reason(r.Name(), err))
	case err != nil:
		return ""
	}
	for t := range l.S {
		for v, x := range l.At(row, t) {
			if !math.IsNaN(x) {
				return fmt.Sprintf("%s: token %d of its row has the logit %d: %.3g, expected NaN: the key goes on unrotated, or turned like another position's", where, t, v, x)
			}
		}
	}
	return ""
}

// others tells of a row that changed with another row's position.
func others(r run.Runner, got, right *report.Logits, but int) string {
	m, err := report.Compare(got, right, func(b, _ int) bool { return b != but })
	switch {
	case err != nil:
		return err.Error()
	case !(m.MaxRel <= r.Arithmetic().Limit()):
		return fmt.Sprintf("row %d, whose positions are inside, changes by %.3g of the largest value", m.WorstRow, m.MaxRel)
	}
	return ""
}

func finite(l *report.Logits, row int) bool {
	for t := range l.S {
		if slices.ContainsFunc(l.At(row, t), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
			return false
		}
	}
	return true
}

// ofPosition tells whether an error is about a position: of a look-up in a table of
// a rotation, of GroupQueryAttention's tables, or in words.
func ofPosition(err error) bool {
	text := err.Error()
	return strings.Contains(text, "position") || strings.Contains(text, "cos_cache") ||
		strings.Contains(text, names.Rotary) && strings.Contains(text, "Gather")
}
