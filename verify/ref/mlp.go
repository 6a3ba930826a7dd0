package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
)

// feedForward writes the block's MLP or mixture of experts of x to y, which may be
// x; at names the places of taps.
func (p *pass[T]) feedForward(ctx context.Context, b *family.Block, at func(place string) string, x, y []T) error {
	if m := b.Mixture(); m != nil {
		return p.experts(ctx, m, at, x, x, y)
	}
	return p.mlp(ctx, b.MLP(), x, y, p.in.tokens(), func(place string, values []T, last int) { p.tap(at(place), values, last) })
}

// mlp writes Down(act(Gate x) · Up x), or Down(act(Up x)), of so many tokens to y,
// which may be x; tap is given the values by their places.
func (p *pass[T]) mlp(ctx context.Context, f *family.MLP, x, y []T, tokens int, tap func(place string, values []T, last int)) error {
	act, err := p.activation(f)
	if err != nil {
		return err
	}
	gated := func(gate, up T) T { return up * act(gate) }
	if c := f.Clamp; c != nil {
		if f.Act != "silu" || !f.Gated {
			return fmt.Errorf("clamped gates with activation %q: expected silu", f.Act)
		}
		gated = clamped[T](c)
	}
	if s := T(f.GateScale); s != 0 {
		plain := gated
		gated = func(gate, up T) T { return plain(s*gate, up) }
	}
	inner := int(f.Up.Weight.Shape[0])
	up := room(&p.work.up, tokens*inner)
	gate := up
	if f.Gated {
		gate = room(&p.work.gate, tokens*inner)
		if err := p.linear(ctx, &f.Gate, x, tokens, gate, p.work); err != nil {
			return err
		}
		tap(family.AtGate, gate, inner)
	}
	if err := p.linear(ctx, &f.Up, x, tokens, up, p.work); err != nil {
		return err
	}
	tap(family.AtUp, up, inner)
	up32, wide := any(up).([]float32)
	gate32, _ := any(gate).([]float32)
	byVectors := wide && f.Gated && f.Act == "silu" && f.Clamp == nil && f.GateScale == 0
	err = parallel(ctx, tokens, tokens*inner < 1<<12, func(_, t int) error {
		if byVectors { // the same bits
			tensor.Gate32(up32[t*inner:(t+1)*inner], gate32[t*inner:])
			return nil
		}
		for i := t * inner; i < (t+1)*inner; i++ {
			if f.Gated {
				up[i] = gated(gate[i], up[i])
			} else {
				up[i] = act(up[i])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	scale(up, f.InnerScale)
	tap(names.Act, up, inner)
	if f.DownNorm != nil {
		if err := p.norm(f.DownNorm, up, up); err != nil {
			return err
		}
		tap(family.AtDownNorm, up, inner)
	}
	if err := p.linear(ctx, &f.Down, up, tokens, y, p.work); err != nil {
		return err
	}
	tap(family.AtDown, y, p.model.Hidden)
	return nil
}
