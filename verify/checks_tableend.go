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
// turn, as CUDA does; a runner that has the graph stop with an error of its own is
// right too, but is not the graph's doing.
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
		c := report.Check{Name: report.CheckTableEnd, Runner: r.Name(), Level: run.LevelOf(r), Verdict: report.Pass, Against: "NaN", Positions: 1}
		c.Detail = found(r, s.ids[0])
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if c.Detail != "" {
			c.Verdict, c.Blame = report.Fail, kindOf(report.CheckTableEnd).Blame
		}
		s.add(c)
	}
	return nil
}

// outsideTables puts one position before the tables, past them and far past them
// into each corner and the middle of a batch: a guard that looks at one row or one
// column of the positions misses it in another. It tells of the first that is not
// answered as it should be, "" where all are.
func (s *session) outsideTables(r run.Runner, ids []int64) string {
	const rows = 3
	n := max(min(len(ids), 3, s.info.MaxLength-1), 1)
	list := slices.Repeat([][]int64{ids[:n]}, rows)
	right, _, err := r.Run(s.ctx, run.Prompt(list, 0), nil)
	if err != nil {
		return run.Reason(r.Name(), err)
	}
	for _, position := range []int64{-1, int64(s.info.MaxLength), 1 << 33} {
		for i, corner := range [][2]int{{rows / 2, n / 2}, {0, 0}, {0, n - 1}, {rows - 1, 0}, {rows - 1, n - 1}} {
			row := corner[0]
			at := fmt.Sprintf("row %d, token %d of a batch of %d: ", row, corner[1], rows)
			in := run.Prompt(list, 0)
			in.Positions[row][corner[1]] = position
			l, after, err := r.Run(s.ctx, in, nil)
			if s.ctx.Err() != nil {
				return ""
			}
			if found := s.plausible(r, int(position), l, row, err); found != "" {
				return at + found
			}
			if err != nil {
				continue
			}
			if found := others(r, l, right, row); found != "" {
				return at + found
			}
			if i == 0 && n < s.info.MaxLength {
				if found := s.stillOutside(r, int(position), list, row, after); found != "" {
					return at + found
				}
			}
		}
	}
	return ""
}

// stillOutside asks for a token more, at a position inside the tables, after a
// position of a row was outside: that row's answers mean nothing from then on. A
// runtime's attention may leave out what it is told of the past, so the guard is
// asked itself, where a runner shows values.
func (s *session) stillOutside(r run.Runner, position int, list [][]int64, row int, past run.State) string {
	n := len(list[0])
	next := run.Prompt(slices.Repeat([][]int64{list[0][:1]}, len(list)), int64(n))
	for b := range next.Mask {
		next.Mask[b] = slices.Repeat([]int64{1}, n+1)
	}
	var guard []bool
	ask := func() (*report.Logits, error) {
		t, ok := run.AsTapper(r)
		if !ok {
			l, _, err := r.Run(s.ctx, next, past)
			return l, err
		}
		l, _, err := t.Tap(s.ctx, next, past, []string{names.GuardRow + "_output_0"}, func(_ string, a *interp.Array) error {
			guard = a.B
			return nil
		})
		return l, err
	}
	l, err := ask()
	switch found := s.plausible(r, position, l, row, err); {
	case s.ctx.Err() != nil:
		return ""
	case found != "":
		return "in the next call, " + found
	case len(guard) > row && guard[row]:
		return fmt.Sprintf("in the next call, %s does not see the past: attention alone makes its row NaN, which not every runtime's does", names.GuardRow)
	case err == nil && len(list) > 1 && !finite(l, (row+1)%len(list)):
		return fmt.Sprintf("in the next call, row %d is not finite either, whose positions are inside", (row+1)%len(list))
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
