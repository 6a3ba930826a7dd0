package verify

import (
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
