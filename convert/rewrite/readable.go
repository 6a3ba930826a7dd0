package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// readable refuses a model whose rotation is not all in the rope keys, and one
// with a part that this rewrite would leave as it is without knowing it.
func readable(m *family.Model, o Options) error {
	if err := m.Beyond(family.LayerNorms, family.UngatedMLP, family.ParallelBlocks, family.EmbeddingNorm, family.UnrotatedLayers); err != nil {
		return err
	}
	if m.Rope.Type == "" {
		return fmt.Errorf("the model (%s) declares no rotary encoding to rewrite: %w", m.Encoding(), posenc.ErrUnsupported)
	}
	spec, err := family.Find(m.ModelType)
	if err != nil {
		return err
	}
	if o.Layout == Partial && spec.ReadsPartial && spec.PartialLayout == "" {
		return fmt.Errorf("layout %s: family %s spells a partial rotary dimension in keys of its own: %w; --layout native can", Partial, m.Family, posenc.ErrUnsupported)
	}
	return nil
}
