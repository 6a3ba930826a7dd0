package retrofit

import (
	"fmt"
	"reflect"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// SameAt makes sure that sequences of these lengths turn as the model was loaded:
// a rope type whose frequencies change with the length (dynamic, longrope) has
// other costs, and another source to be fitted to, at another length. The error
// wraps posenc.ErrUnsupported.
func SameAt(m *family.Model, lengths ...int) error {
	for _, n := range lengths {
		at, err := m.AtLength(n)
		if err != nil {
			return err
		}
		for i, a := range m.Attentions() {
			if !reflect.DeepEqual(a.Rotary.Spectrum, at.Blocks[i].Attn().Rotary.Spectrum) {
				return fmt.Errorf("rope type %s turns otherwise at %d positions than at %d: %w; what was measured or fitted at one length would not serve the other", m.Rope.Type, n, m.TrainedLength, posenc.ErrUnsupported)
			}
		}
	}
	return nil
}
