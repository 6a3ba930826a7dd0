package convert

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// keepsCodes refuses a result of which a quantised weight is another than the
// source's: its rows or its numbers would have to be quantised anew. All others stay
// as they are stored, and so does what declares them.
func (p *Plan) keepsCodes(m *family.Model) error {
	q := m.Quantised
	if q == nil {
		return nil
	}
	refuse := func(name, how string) error {
		return hint.Errorf("tensor %q is stored quantised (%s) and %s: %w; a result that leaves the weights as they are ("+hint.Layout+" native, without "+hint.Calibrate+") keeps them, or make plain weights of the checkpoint first", name, q.Tensors[name].Format, how, posenc.ErrUnsupported)
	}
	for _, e := range p.rewrite.Edits {
		for _, piece := range e.Pieces {
			if q.Tensors[piece.Tensor] != nil {
				return refuse(piece.Tensor, fmt.Sprintf("would change its rows in %q", e.Name))
			}
		}
	}
	for _, name := range p.rewrite.Consumed {
		if q.Tensors[name] != nil {
			return refuse(name, "would go")
		}
	}
	for name := range p.replaced {
		if q.Tensors[name] != nil {
			return refuse(name, "would be refitted")
		}
	}
	for _, c := range q.Counts() {
		p.Notes = append(p.Notes, fmt.Sprintf("%d weights stay quantised as they are stored (%s), and so does %s", c.Weights, c.Format, q.Declaration.Where))
	}
	return nil
}
