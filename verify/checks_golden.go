package verify

import "fmt"

// goldenLimit bounds the distance from given answers, which were themselves
// computed in float32: 336 u of float32 (see Tolerances).
func goldenLimit() float64 { return limit("float32") }

// golden compares every runner with a file of given logits, and ref with the
// hidden states in it.
func (s *session) golden() error {
	g := s.given
	in := prompt(g.ids, 0)
	w := want{logits: g.logits, from: "golden"}
	run := func(r Runner) (*Logits, error) {
		l, _, err := r.Run(s.ctx, in, nil)
		return l, err
	}
	if err := s.compare("golden", s.ref, w, goldenLimit(), run); err != nil {
		return err
	}
	for _, r := range s.others {
		if err := s.compare("golden", r, w, goldenLimit(), run); err != nil {
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
	hidden, err := s.ref.Hidden(s.ctx, in)
	if err != nil {
		return err
	}
	if _, ok := g.file.Lookup(fmt.Sprintf("hidden.%d", len(hidden)-1)); !ok {
		hidden = hidden[1 : len(hidden)-1]
	}
	for i, h := range hidden {
		name := fmt.Sprintf("hidden.%d", i)
		if _, ok := g.file.Lookup(name); !ok {
			continue
		}
		given, err := g.values(name, s.model.Hidden)
		if err != nil {
			return err
		}
		if err := s.compare("golden-"+name, s.ref, want{logits: given, from: "golden"}, goldenLimit(), func(Runner) (*Logits, error) { return h, nil }); err != nil {
			return err
		}
	}
	return nil
}
