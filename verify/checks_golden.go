package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// fromGolden says that what is wanted comes from a file of given answers.
const fromGolden = "golden"

// golden compares every runner with a file of given logits, and ref with the
// hidden states in it.
func (s *session) golden() error {
	g := s.given
	in := run.Prompt(g.Ids, 0)
	w := want{logits: g.Logits, from: fromGolden}
	ask := run.Prefill(s.ctx, in)
	// The answers were computed in float32 themselves: compare gives them its budget.
	if s.meant != s.ckpt { // the answers are those of the weights as they were
		if err := s.compare(report.CheckGolden, run.NewRef(s.model, s.ckpt), w, report.Float32.Limit(), ask); err != nil {
			return err
		}
		return s.goldenAsIs(w, ask)
	}
	if err := s.compare(report.CheckGolden, s.ref, w, report.Float32.Limit(), ask); err != nil {
		return err
	}
	for _, r := range s.others {
		if err := s.compare(report.CheckGolden, r, w, report.Float32.Limit(), ask); err != nil {
			return err
		}
	}
	if err := s.goldenAsIs(w, ask); err != nil {
		return err
	}
	return s.goldenHidden(g, in)
}

// goldenHidden compares ref's residual stream layer by layer. A file with one
// state fewer than there are here begins with the first layer's output, and its
// last one has not passed the final norm: there is none here to compare it with.
func (s *session) goldenHidden(g *run.Golden, in run.Input) error {
	if _, ok := g.File.Lookup("hidden.0"); !ok {
		return nil
	}
	states := map[run.Runner][]*report.Logits{}
	hidden := func(r run.Runner) ([]*report.Logits, error) {
		if states[r] == nil {
			h, ok := run.AsHiddenStater(r)
			if !ok {
				return nil, fmt.Errorf("%s does not show its residual stream", r.Name())
			}
			list, err := h.Hidden(s.ctx, in)
			if err != nil {
				return nil, err
			}
			if _, ok := g.File.Lookup(fmt.Sprintf("hidden.%d", len(list)-1)); !ok {
				list = list[1 : len(list)-1]
			}
			states[r] = list
		}
		return states[r], nil
	}
	ours, err := hidden(s.ref)
	if err != nil {
		return err
	}
	for i := range ours {
		name := fmt.Sprintf("hidden.%d", i)
		if _, ok := g.File.Lookup(name); !ok {
			continue
		}
		given, err := g.Values(name, s.model.Hidden)
		if err != nil {
			return err
		}
		ask := func(r run.Runner) (*report.Logits, error) {
			list, err := hidden(r)
			if err != nil {
				return nil, err
			}
			if i >= len(list) {
				return nil, fmt.Errorf("%d hidden states: expected more than %d", len(list), i)
			}
			return list[i], nil
		}
		if err := s.compare(report.CheckGolden+"-"+name, s.ref, want{logits: given, from: fromGolden}, report.Float32.Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}
