package ref

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// mlp writes Down(act(Gate x) · Up x), or Down(act(Up x)), to y, which may be x; at
// names the places of taps.
func (p *pass[T]) mlp(ctx context.Context, f *family.MLP, at func(place string) string, x, y []T) error {
	act, err := activation[T](f.Act)
	if err != nil {
		return err
	}
	tokens, inner := p.in.tokens(), int(f.Up.Weight.Shape[0])
	up := room(&p.work.up, tokens*inner)
	gate := up
	if f.Gated {
		gate = room(&p.work.gate, tokens*inner)
		if err := p.linear(ctx, &f.Gate, x, tokens, gate, p.work); err != nil {
			return err
		}
		p.tap(at(family.AtGate), gate, inner)
	}
	if err := p.linear(ctx, &f.Up, x, tokens, up, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtUp), up, inner)
	err = parallel(ctx, tokens, tokens*inner < 1<<12, func(_, t int) error {
		for i := t * inner; i < (t+1)*inner; i++ {
			if f.Gated {
				up[i] *= act(gate[i])
			} else {
				up[i] = act(up[i])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.tap(at(names.Act), up, inner)
	if err := p.linear(ctx, &f.Down, up, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtDown), y, p.model.Hidden)
	return nil
}
