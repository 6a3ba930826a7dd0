package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// whole makes the new configuration of a language model that of the model of vision
// around it, whose other keys and tensors stay.
func (r *Rewrite) whole(m *family.Model) error {
	w := m.Wrapper
	if w == nil {
		return nil
	}
	if r.Family != m.Family {
		return hint.Errorf(hint.Layout+" %s: the weights of family %s, in the names of another, are %w inside of %s; "+hint.Layout+" %s can", r.Layout, r.Family, posenc.ErrUnsupported, w.ModelType, Native)
	}
	if r.Spelling != family.BlockKey { // a block holds the source's whole configuration
		r.Config = m.Whole(r.Config)
		r.Readers, r.Loaders = nil, fmt.Sprintf("transformers, as %s; of the table of loaders nothing is known for it", w.Architecture)
	}
	r.note("what changes is the language model inside of %s (text_config); its other keys, and the %d tensors of its other parts, stay as they are", w.ModelType, len(w.Beside))
	return nil
}
