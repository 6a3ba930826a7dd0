package verify

import (
	"fmt"
	"reflect"

	"github.com/pecvt/pecvt/posenc/hint"
)

// lengthDependence warns of a rotation that depends on the sequence's length:
// the graph holds the one of its longest, while stock loaders turn short
// sequences otherwise. Every runner here turns as the graph does, so no check
// can show it.
func (s *session) lengthDependence() error {
	short, err := s.loaded.AtLength(1)
	if err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	for i, a := range s.model.Attentions() {
		if reflect.DeepEqual(short.Blocks[i].Attn().Rotary.Spectrum, a.Rotary.Spectrum) {
			continue
		}
		up := s.model.TrainedLength
		held, stock := fmt.Sprintf("the %s frequencies", s.model.Rope.Type), "those of a short sequence"
		switch s.model.Rope.Type {
		case "longrope":
			held, stock = "the long factors", "the short ones"
		case "dynamic":
			held, stock = "the stretched frequencies", "the unstretched ones"
			up = s.model.MaxPositions
		}
		s.warn("the graph holds %s (of its %d positions): stock loaders use %s up to %d positions; emit it with "+hint.MaxLength+" %d for those",
			held, s.info.MaxLength, stock, up, up)
		return nil
	}
	return nil
}
