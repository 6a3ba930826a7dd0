package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc/hint"
)

// fusable says what a fused operator does not compute, or "".
func fusable(a *family.Attention) string {
	switch {
	case a.Sinks != nil:
		return "attention sinks"
	case a.Chunk > 0:
		return "attention within chunks"
	case a.Bias.RoundBF16:
		return "ALiBi rounded to bf16"
	case a.Bias.Kind == family.Kerple:
		return "KERPLE"
	}
	return ""
}

// fusedAttention is attention whose operator makes the bias and the mask: a kernel
// needs no tensor of sequence × total, the function's body stands for it elsewhere.
func (e *emitter) fusedAttention(l *layer, q, k, v *graph.Value) *graph.Value {
	a, g, prefix := l.attn, e.g, l.at(family.AtBias)
	if err := checkBias(a, a.Bias); err != nil {
		g.Fail(fmt.Errorf("layer %d: %w", l.i, err))
		return q
	}
	if why := fusable(a); why != "" {
		g.Fail(hint.Errorf("layer %d: %w", l.i, unsupported("%s: no operator has it with a bias inside; use "+hint.Bias+" auto", why)))
		return q
	}
	e.biasForm = BiasFused
	past, present := e.cache(l.i, a, int64(a.QKDim))
	v = e.marked(l, v, past[1])
	defer g.Wide()()
	in := []*graph.Value{q, k, v, past[0], past[1], e.mask, e.int64Scalar(fmt.Sprint("window", a.Window), int64(a.Window))}
	op := "RelativeAttention"
	switch a.Bias.Kind {
	case family.Forget:
		op = "PathAttention"
		sum := e.pathBias(l, 1)
		in = append(in, sum.whole, sum.fraction, e.grown(l, "forget_whole", sum.whole), e.grown(l, "forget_fraction", sum.fraction))
	case family.Path:
		op = "PathIntegralAttention"
		query, key := e.pathVectors(l)
		in = append(in, query, key, e.pathRates(l))
	default:
		query, key := e.relativeRates(l, prefix)
		in = append(in, e.floatPositions(), e.floatKeyPositions(), query, key)
	}
	name := l.at(names.Attention)
	defer g.AsTheyAre()()
	made := g.Add(graph.Node{
		Domain: ops.Domain, Op: op, Name: name, In: in,
		Out: []string{name + "_output_0", present[0], present[1]}, Attrs: []graph.Attr{graph.FloatAttr("scale", a.Scale)},
	})
	e.presents = append(e.presents, made[1:]...)
	e.kept[l.i] = made[1:]
	return made[0]
}
