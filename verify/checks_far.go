package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// farPositions: a prompt that ends on the cos and sin tables' last row. A
// wrong scaling is invisible in the first positions. A graph that counts
// positions itself gets there over a synthetic past.
func (s *session) farPositions() error {
	ids := s.ids
	n := min(len(ids[0]), 16)
	start := s.info.MaxLength - n
	in := run.Prompt([][]int64{ids[0][:n]}, int64(start))
	answers := map[bool]*report.Logits{} // ref's, by whether positions are given
	for _, r := range s.others {
		ask := run.Prefill(s.ctx, in)
		if !r.Positions() {
			p, why := s.pastFor(r, start)
			if p == nil {
				s.skip(report.CheckFarPositions, r, "the graph takes no position_ids, and "+why)
				continue
			}
			ask = func(r run.Runner) (*report.Logits, error) { return p.Run(s.ctx, r, ids[0][:n]) }
		}
		logits := answers[r.Positions()]
		if logits == nil {
			s.step("ref: far positions")
			var err error
			if logits, err = ask(s.ref); err != nil {
				return err
			}
			answers[r.Positions()] = logits
		}
		if err := s.compare(report.CheckFarPositions, r, want{logits: logits, from: run.RefName, first: start}, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}

// tableEnd: one position past the tables, and one before them, must be an error
// that says so, not an unrotated key. The interpreter has to meet the graph's own
// guard: to look a position up past a table is an error on the CPU alone.
func (s *session) tableEnd() error {
	ids := s.ids
	length := s.info.MaxLength
	for _, r := range s.others {
		past := func() error {
			_, _, err := r.Run(s.ctx, run.Prompt([][]int64{ids[0][:1]}, int64(length)), nil)
			return err
		}
		if !r.Positions() {
			p, why := s.pastFor(r, length)
			if p == nil {
				s.skip(report.CheckTableEnd, r, "the graph takes no position_ids, and "+why)
				continue
			}
			past = func() error {
				_, err := p.Run(s.ctx, r, ids[0][:1])
				return err
			}
		}
		s.step("%s: table-end", r.Name())
		c := report.Check{Name: report.CheckTableEnd, Runner: r.Name(), Level: run.LevelOf(r), Verdict: report.Pass, Against: "an error", Positions: 1}
		c.Detail = s.refused(r, length, past(), "the key goes on unrotated")
		if c.Detail == "" && r.Positions() && s.ctx.Err() == nil {
			c.Detail = s.outsideCorners(r, ids[0])
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if c.Detail != "" {
			c.Verdict, c.Blame = report.Fail, "the guard of positions is wrong or missing (nodes /guard/..., pecvt.max_length in the metadata): emit the graph again with pecvt export"
		}
		s.add(c)
	}
	return nil
}

// outsideCorners puts one position outside the tables into each corner and the
// middle of a batch, before their first row and past their last: a guard that looks at one
// row or one column of the positions misses it in another. It tells of the first
// that is not refused, "" where all are.
func (s *session) outsideCorners(r run.Runner, ids []int64) string {
	const rows = 3
	n := min(len(ids), 3, s.info.MaxLength)
	for _, outside := range []struct {
		position  int
		otherwise string
	}{{-1, "the key turns like another position's"}, {s.info.MaxLength, "the key goes on unrotated"}} {
		for _, corner := range [][2]int{{0, 0}, {0, n - 1}, {rows / 2, n / 2}, {rows - 1, 0}, {rows - 1, n - 1}} {
			list := make([][]int64, rows)
			for i := range list {
				list[i] = ids[:n]
			}
			in := run.Prompt(list, 0)
			in.Positions[corner[0]][corner[1]] = int64(outside.position)
			_, _, err := r.Run(s.ctx, in, nil)
			if s.ctx.Err() != nil {
				return ""
			}
			if found := s.refused(r, outside.position, err, outside.otherwise); found != "" {
				return fmt.Sprintf("row %d, token %d of a batch of %d: %s", corner[0], corner[1], rows, found)
			}
		}
	}
	return ""
}

// refused tells what is wrong with the error that a position outside the tables
// gave, "" where it is the right one.
func (s *session) refused(r run.Runner, position int, err error, otherwise string) string {
	where := fmt.Sprintf("position %d of a table of %d rows", position, s.info.MaxLength)
	switch {
	case err == nil:
		return fmt.Sprintf("%s: %v: %s", where, errNoFailure, otherwise)
	case run.NamesNodes(r) && !strings.Contains(err.Error(), guardNode):
		return fmt.Sprintf("%s is an error, but not of the graph's guard: the tables are left to refuse it, which they do on the CPU alone: %s", where, run.Reason(r.Name(), err))
	case !s.ofPosition(err):
		return fmt.Sprintf("%s is an error, but not of the position: %s", where, run.Reason(r.Name(), err))
	}
	return ""
}

// guardNode is the graph's node whose output has a negative length once a
// position is past the tables.
const guardNode = names.Guard

// ofPosition tells whether an error comes from the graph's guard of positions,
// or from looking a position up in a table. ONNX Runtime does not always name
// the node that asked for a negative length.
func (s *session) ofPosition(err error) bool {
	text := err.Error()
	if strings.Contains(text, "shape.Size() must be >= 0") {
		for _, n := range s.info.Model.GetGraph().GetNode() {
			if strings.HasPrefix(n.GetName(), guardNode) {
				return true
			}
		}
	}
	return strings.Contains(text, guardNode) || strings.Contains(text, "is outside the table of") ||
		strings.Contains(text, names.Rotary) && strings.Contains(text, "Gather")
}
