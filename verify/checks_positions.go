package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// sweepTokens is the length of the prompt at each position of the sweep.
const sweepTokens = 6

// sweep is where prompts of the position sweep end: the beginning, the middle and
// the end of the trained length L, then doubling it, up to the tables' last row.
func sweep(trained, rows int) []int {
	list := []int{0, 1, rows - 1}
	if trained > 0 {
		list = append(list, trained/2, trained-1, trained)
		for p := 2 * trained; p < rows; p *= 2 {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(p int) bool { return p < 0 || p >= rows })
}

// leaps tells whether positions of a prompt may leave gaps. Where a layer has a
// bias, phases, shifts or a window, or is no attention, what it does depends on the tokens between.
func (s *session) leaps() bool {
	for i := range s.model.Blocks {
		if s.model.Blocks[i].Attn() == nil {
			return false
		}
	}
	for _, a := range s.model.Attentions() {
		if a.Bias != nil || a.Phase != nil || a.KShift != nil || a.VShift != nil || a.Window > 0 || a.Chunk > 0 {
			return false
		}
	}
	return true
}

// ending is the positions of n tokens of which the last stands at p, or, too
// early for that, the first at 0. With leaps half of them stay at the beginning:
// scores see angles as large as p's then, not those of neighbours alone.
func ending(p, n int, leaps bool) []int64 {
	row := make([]int64, n)
	for i := range row {
		row[i] = int64(max(p-n+1, 0) + i)
		if leaps && i < n/2 {
			row[i] = int64(i)
		}
	}
	return row
}

// positions: short prompts that end at each position of the sweep, as one batch.
// A wrong spectrum is invisible where the first positions are all that is looked
// at, and where near neighbours are all that meets.
func (s *session) positions() error {
	ids := s.ids
	list := sweep(s.model.TrainedLength, s.info.MaxLength)
	n := min(sweepTokens, len(ids[0]), s.info.MaxLength)
	in := run.Prompt(slices.Repeat([][]int64{ids[0][:n]}, len(list)), 0)
	for row, p := range list {
		in.Positions[row] = ending(p, n, s.leaps())
	}
	at := func(row, col int) int64 { return in.Positions[row][col] }
	var logits *report.Logits
	for _, r := range s.others {
		if !r.Positions() {
			if err := s.positionsByPast(r, ids[0][:n], list); err != nil {
				return err
			}
			continue
		}
		ask := run.Prefill(s.ctx, in)
		if logits == nil {
			s.step("ref: positions %d to %d", list[0], list[len(list)-1])
			var err error
			if logits, err = ask(s.ref); err != nil {
				return err
			}
		}
		if err := s.compare(report.CheckPositions, r, want{logits: logits, from: run.RefName, at: at}, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}

// positionsByPast is the sweep for a graph that counts positions itself: it
// follows synthetic pasts, as long as they are small.
func (s *session) positionsByPast(r run.Runner, ids []int64, list []int) error {
	var reached []int
	var left []string
	why := ""
	for _, p := range list {
		start := max(p-len(ids)+1, 0)
		if slices.Contains(reached, start) {
			continue
		}
		reason := fmt.Sprintf("a past of %d positions takes more than %d MiB", start, maxSweepBytes>>20)
		if s.pastBytes(start) <= maxSweepBytes {
			_, reason = s.pastFor(r, start)
		}
		if reason == "" {
			reached = append(reached, start)
		} else {
			left, why = append(left, fmt.Sprint(p)), reason
		}
	}
	if len(left) > 0 {
		s.warn("the check positions leaves out %s: %s", strings.Join(left, ", "), why)
	}
	if len(reached) == 0 {
		s.skip(report.CheckPositions, r, "the graph takes no position_ids, and "+why)
		return nil
	}
	ask := func(r run.Runner) (*report.Logits, error) {
		var all *report.Logits
		for row, start := range reached {
			p, why := s.syntheticPast(start)
			if p == nil {
				return nil, fmt.Errorf("position %d: %s", start, why)
			}
			l, err := p.Run(s.ctx, r, ids)
			if err != nil {
				return nil, fmt.Errorf("position %d: %w", start, err)
			}
			if all == nil {
				all = &report.Logits{B: len(reached), S: l.S, V: l.V, Data: make([]float64, len(reached)*len(l.Data))}
			}
			copy(all.Data[row*len(l.Data):], l.Data)
		}
		return all, nil
	}
	s.step("ref: positions")
	logits, err := ask(s.ref)
	if err != nil {
		return err
	}
	at := func(row, col int) int64 { return int64(reached[row] + col) }
	return s.compare(report.CheckPositions, r, want{logits: logits, from: run.RefName, at: at}, r.Arithmetic().Limit(), ask)
}

// maxSweepBytes bounds a synthetic past of the sweep, in float64: there are
// several.
const maxSweepBytes = 32 << 20

// pastBytes is the size of a past of n positions, in float64.
func (s *session) pastBytes(n int) int {
	bytes := 0
	for _, a := range s.model.Attentions() {
		bytes += 8 * a.CachedHeads() * (a.QKDim + a.VDim) * n
	}
	return bytes
}
