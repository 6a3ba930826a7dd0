package verify

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// causalLimit bounds what later tokens may change in earlier logits: nothing but
// the order of additions. Later tokens that choose other experts change how many rows
// an expert computes, and ONNX Runtime's products with codes add up otherwise for one
// row than for several (1.32: 4.2e-7 of dbrx's largest logit; 0 where every product has
// all rows).
func (s *session) causalLimit(a report.Arithmetic) float64 {
	switch {
	case a == report.Float64:
		return selfLimit
	case s.meant != s.ckpt && mixes(s.model):
		return 16 * a.Roundoff()
	}
	return 4 * a.Roundoff()
}

// lawCausal: the logits of a prefix are the same whatever follows it.
func (s *session) lawCausal() error {
	ids := s.in.IDs[0]
	n := min(len(ids), batchTokens)
	kept := 2 * n / 3
	if kept == 0 {
		s.lack(report.CheckLawCausal, "a prompt of one token has nothing after it")
		return nil
	}
	other := slices.Clone(ids[:n])
	for i := kept; i < n; i++ {
		other[i] = (other[i] + 1 + int64(i)) % int64(s.model.Vocab)
	}
	for _, r := range s.others {
		err := s.law(report.CheckLawCausal, r, s.causalLimit(r.Arithmetic()), func() (f finding, err error) {
			a, _, err := r.Run(s.ctx, run.Prompt([][]int64{ids[:n]}, 0), nil)
			if err != nil {
				return f, err
			}
			b, _, err := r.Run(s.ctx, run.Prompt([][]int64{other}, 0), nil)
			if err != nil {
				return f, err
			}
			m, err := report.Compare(b, a, func(_, s int) bool { return s < kept })
			f.positions = m.Positions
			f.at(m.MaxRel, "the logits of position %d change by %.3g of the largest value when the tokens from position %d on do", m.WorstPosition, m.MaxRel, kept)
			return f, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unshiftable says why the logits of a layer may change with a shift of all
// positions.
func unshiftable(a *family.Attention) string {
	switch {
	case a.Bias != nil && a.Bias.RoundBF16:
		return "the bias is rounded to bfloat16 position by position"
	case a.Bias != nil && a.Bias.Kind == family.Path:
		return "path vectors turn by their own position"
	case a.Phase != nil:
		return "phases come from the tokens, not from their positions"
	case a.QueryScale != nil:
		return "queries are scaled by their own position"
	case weightedAfter(a):
		return "queries and keys are weighted coordinate by coordinate after they turn"
	}
	return ""
}

// weightedAfter reports norms behind the rotation: their weights may differ
// between the two coordinates of a plane.
func weightedAfter(a *family.Attention) bool {
	return a.NormAfter && a.Rotary.Dim > 0 && (a.QNorm != nil || a.KNorm != nil)
}

// shiftTokens is the length of the prompt that is shifted.
const shiftTokens = 16

// lawShift: a shift of all positions by as far as the tables reach leaves the
// logits.
func (s *session) lawShift() error {
	if why := s.broken(unshiftable); why != "" {
		s.noLaw(report.CheckLawShift, "no law of this encoding: "+why)
		return nil
	}
	if !s.info.Positions {
		s.noLaw(report.CheckLawShift, "the graph takes no position_ids: nothing can be shifted")
		return nil
	}
	n := min(shiftTokens, len(s.in.IDs[0]), s.info.MaxLength/2)
	if n == 0 {
		s.noLaw(report.CheckLawShift, "a table of one position leaves no room for a shift")
		return nil
	}
	ids := [][]int64{s.in.IDs[0][:n]}
	shift := int64(s.info.MaxLength - n)
	near := run.Prefill(s.ctx, run.Prompt(ids, 0))
	far := run.Prefill(s.ctx, run.Prompt(ids, shift))
	for _, r := range s.others {
		lim, err := s.twoLimits(report.CheckFarPositions, r, far)
		if err != nil {
			return err
		}
		err = s.law(report.CheckLawShift, r, lim, func() (f finding, err error) {
			a, err := near(r)
			if err != nil {
				return f, err
			}
			b, err := far(r)
			if err != nil {
				return f, err
			}
			m, err := report.Compare(b, a, nil)
			f.positions = m.Positions
			off, note := m.MaxRel, ""
			if off > lim && s.roundedAlike(r, a, near) && s.roundedAlike(r, b, far) {
				off, note = lim, " (the tables' rounding, which large scores magnify)"
			}
			f.at(off, "a shift of all positions by %d changes the logits of token %d by %.3g of the largest value%s", shift, m.WorstPosition, m.MaxRel, note)
			return f, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// roundedAlike tells whether an answer of the interpreter is the reference's with
// the graph's rounded constants.
func (s *session) roundedAlike(r run.Runner, got *report.Logits, ask run.Question) bool {
	text, err := s.rounding(r, want{from: run.RefName}, got, ask)
	return err == nil && text != ""
}

// position names a column of an input by its position.
func (w want) position(row, col int) string {
	switch {
	case w.at != nil:
		return fmt.Sprintf("position %d", w.at(row, col))
	default:
		return fmt.Sprintf("position %d", col)
	}
}
