package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// layers emits all layers over x (batch*sequence, hidden). GroupQueryAttention reads and
// makes (batch, sequence, width) and a Gemm takes rows of two axes, so a layer reshapes
// twice; MatMulNBits takes both. Where the layers have no other products, the stream has
// three axes from the first layer to the last, which are two nodes less in each.
func (e *emitter) layers(m *family.Model, x *graph.Value) *graph.Value {
	hidden := int(m.Embed.Shape[1])
	e.threeAxes = e.allByNBits(m)
	if e.threeAxes {
		x = e.g.Op("Reshape", names.StreamOfTokens, []*graph.Value{x, e.shape(names.FlatShape(hidden), int64(hidden))})
	}
	for i := range m.Blocks {
		x = e.block(i, &m.Blocks[i], x)
	}
	if e.threeAxes {
		x = e.g.Op("Reshape", names.StreamOfRows, []*graph.Value{x, e.rows(hidden)})
	}
	return x
}

// allByNBits tells whether the layers are plain ones, attention after GroupQueryAttention's
// way and an MLP, all of whose products are one MatMulNBits each: lows need a Gemm. With
// LogitsLast rows are chosen, which are two axes.
func (e *emitter) allByNBits(m *family.Model) bool {
	if e.opts.Attention != AttentionORT || e.opts.Linear == LinearMatMul || e.opts.Logits != LogitsAll || m.ByLayer != nil {
		return false
	}
	for i := range m.Blocks {
		b := &m.Blocks[i]
		a, ok := b.Mixer.(*family.Attention)
		mlp := b.MLP()
		if !ok || mlp == nil || b.Second != nil || b.Side != nil || b.Shortcut != nil || b.PerLayer != nil || b.Residual != nil || b.AttnNorm == nil ||
			a.Latent != nil || a.HeadNorm != nil || a.OutGate != nil || a.KVLayer != nil || e.apart(a) {
			return false
		}
		maps := []family.Linear{a.Q, a.K, a.V, a.O, mlp.Up, mlp.Down}
		if mlp.Gated {
			maps = append(maps, mlp.Gate)
		}
		for _, l := range maps {
			if r := e.rounds(l.Weight); r == nil || !e.byNBits(r) || r.scheme.Zeros == nearest.ZeroFloat {
				return false
			}
		}
	}
	return true
}
