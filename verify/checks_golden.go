package verify

import (
	"context"
	"fmt"
	"github.com/pecvt/pecvt/verify/report"
)

// golden compares every runner with a file of given logits, and ref with the
// hidden states in it.
func (s *session) golden() error {
	g := s.given
	in := prompt(g.ids, 0)
	w := want{logits: g.logits, from: "golden"}
	run := func(r Runner) (*report.Logits, error) {
		l, _, err := r.Run(s.ctx, in, nil)
		return l, err
	}
	// The answers were computed in float32 themselves: compare gives them its budget.
	if err := s.compare("golden", s.ref, w, report.Float32.Limit(), run); err != nil {
		return err
	}
	for _, r := range s.others {
		if err := s.compare("golden", r, w, report.Float32.Limit(), run); err != nil {
			return err
		}
	}
	return s.goldenHidden(g, in)
}

// goldenHidden compares ref's residual stream layer by layer. A file with one
// state fewer than there are here begins with the first layer's output, and its
// last one has not passed the final norm: there is none here to compare it with.
func (s *session) goldenHidden(g *golden, in Input) error {
	if _, ok := g.file.Lookup("hidden.0"); !ok {
		return nil
	}
	states := map[Runner][]*report.Logits{}
	hidden := func(r Runner) ([]*report.Logits, error) {
		if states[r] == nil {
			list, err := r.(interface {
				Hidden(context.Context, Input) ([]*report.Logits, error)
			}).Hidden(s.ctx, in)
			if err != nil {
				return nil, err
			}
			if _, ok := g.file.Lookup(fmt.Sprintf("hidden.%d", len(list)-1)); !ok {
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
		if _, ok := g.file.Lookup(name); !ok {
			continue
		}
		given, err := g.values(name, s.model.Hidden)
		if err != nil {
			return err
		}
		run := func(r Runner) (*report.Logits, error) {
			list, err := hidden(r)
			if err != nil {
				return nil, err
			}
			if i >= len(list) {
				return nil, fmt.Errorf("%d hidden states: expected more than %d", len(list), i)
			}
			return list[i], nil
		}
		if err := s.compare("golden-"+name, s.ref, want{logits: given, from: "golden"}, report.Float32.Limit(), run); err != nil {
			return err
		}
	}
	return nil
}
