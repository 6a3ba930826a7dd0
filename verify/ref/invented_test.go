package ref

import (
	"context"
	"testing"

	"github.com/pecvt/pecvt/convert/family/familytest"
)

// TestInventedParts: the reference computes no model without a part of it, in
// either precision, rounded, from layer to layer.
func TestInventedParts(t *testing.T) {
	m, src := checkpoint(t, "golden/qwen3")
	ctx, in := context.Background(), Input{IDs: [][]int64{{3, 1}}}
	for _, c := range familytest.Invented(m) {
		_, err := New(c.Model, src).Forward(ctx, in, Options{})
		c.Refused(t, "float64", err)
		_, err = New(c.Model, src).Rounded().Forward(ctx, in, Options{})
		c.Refused(t, "rounded", err)
		_, err = New32(c.Model, src).Forward(ctx, Input32{IDs: in.IDs}, Options32{})
		c.Refused(t, "float32", err)
		w := NewWalk(c.Model, src)
		_, err = w.Embed(in.IDs[0])
		c.Refused(t, "walk", err)
		x := make([]float32, 2*m.Hidden)
		_, err = w.Input(1, x)
		c.Refused(t, "walk's input", err)
		c.Refused(t, "walk's layer", w.Advance(1, x))
	}
}
