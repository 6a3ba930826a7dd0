package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// outGate multiplies y, the heads' output of every token, by act(W x + b): number by
// number, or all of a head by one.
func (p *pass[T]) outGate(ctx context.Context, a *family.Attention, at func(place string) string, x, y []T) error {
	g, tokens := a.OutGate, p.in.tokens()
	act, ok := gateActs[g.Act]
	if !ok {
		return fmt.Errorf("a gate of attention's output with activation %q: expected sigmoid or softplus", g.Act)
	}
	n, width := g.Width(), a.Heads*a.VDim
	if n != width && n != a.Heads {
		return fmt.Errorf("a gate of %d numbers for %d heads of %d: expected one for each number or for each head", n, a.Heads, a.VDim)
	}
	gate := room(&p.work.gate, tokens*n)
	if err := p.linear(ctx, &g.Linear, x, tokens, gate, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtOutGate), gate, n)
	bias, err := p.vector(g.HeadBias)
	if err != nil {
		return err
	}
	for i := range y {
		token, h := i/width, i%width/a.VDim
		k := h
		if n == width {
			k = i % width
		}
		z := gate[token*n+k]
		if bias != nil {
			z += bias[h]
		}
		y[i] *= T(act(float64(z)))
	}
	p.tap(at(names.Gated), y, a.Heads, a.VDim)
	return nil
}

// gateActs are the activations of gates; log(1 + exp z) is taken in the form that does
// not overflow.
var gateActs = map[string]func(z float64) float64{
	"sigmoid":  func(z float64) float64 { return 1 / (1 + math.Exp(-z)) },
	"softplus": func(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) },
}
