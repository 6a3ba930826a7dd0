package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
)

// phaseTurning makes cosines and sines of contextual phases: the phase times θ
// in float64, taken to whole turns there, and only then rounded, so that the
// angle's error is that of float32 within one turn however far the text.
func (e *emitter) phaseTurning(l *layer) turning {
	a, g, prefix := l.attn, e.g, l.at(names.Phase)
	n := int(a.Phase.Gate.Weight.Shape[0])
	if n != 1 && n != a.KVHeads {
		g.Fail(fmt.Errorf("layer %d: tensor %q has %d rows: expected 1 or one per key/value head (%d)", l.i, a.Phase.Gate.Weight.Tensor, n, a.KVHeads))
		return turning{}
	}
	z := e.gateLogits(l, "phase", a.Phase.Gate, n)
	z = g.Op("Div", prefix+"/Div", []*graph.Value{z, e.scalar(fmt.Sprintf("phase_c%v", a.Phase.C), a.Phase.C)})
	past, present := e.state(l.i, "phase", n, 2)
	out := g.Add(graph.Node{
		Domain: ops.Domain, Op: "ContextPhase", Name: l.at(names.ContextPhase),
		In: []*graph.Value{z, e.real(), past}, Out: []string{l.at(names.ContextPhase) + "_output_0", present},
	})
	e.presents = append(e.presents, out[1])
	if a.Rotary.Dim == 0 {
		return turning{}
	}
	groups, spectra := n, [][]float64{a.Rotary.InvFreq}
	if a.Spectra != nil {
		groups, spectra = a.KVHeads, a.Spectra.InvFreq
	}
	w := a.Rotary.Planes()
	var turns []float64
	for _, s := range spectra {
		for _, theta := range s {
			turns = append(turns, theta/(2*math.Pi))
		}
	}
	rate := e.g.Tensor(l.at(names.TurnsPerPosition), graph.Double, []int64{1, int64(len(spectra)), 1, int64(w)}, doubleBytes(turns))
	v := g.Op("Unsqueeze", prefix+"/Unsqueeze", []*graph.Value{out[0], e.ints("axis3", 3)})
	v = g.Op("Mul", prefix+"/turns/Mul", []*graph.Value{v, rate})
	whole := g.Op("Floor", prefix+"/whole/Floor", []*graph.Value{g.Op("Add", prefix+"/whole/Add", []*graph.Value{v, e.half()})})
	v = g.Op("Sub", prefix+"/part/Sub", []*graph.Value{v, whole})
	v = g.Op("Cast", prefix+"/part/Cast", []*graph.Value{v}, graph.IntAttr("to", int(graph.Float)))
	v = g.Op("Mul", prefix+"/angle/Mul", []*graph.Value{v, e.scalar("two_pi", 2*math.Pi)})
	part := func(name, op string) *graph.Value {
		y := g.Op(op, prefix+"/"+op, []*graph.Value{v})
		if f := factors(a.Rotary.Spectrum); f != nil {
			y = g.Op("Mul", prefix+"/"+name+"/Mul", []*graph.Value{y, e.floats(fmt.Sprintf("gain%v%v", a.Rotary.Gain, a.Rotary.Removed), []int64{int64(w)}, f)})
		}
		if groups == 1 {
			return g.Op("Squeeze", prefix+"/"+name+"/Squeeze", []*graph.Value{y, e.ints("axis1", 1)})
		}
		return e.foldedTable(prefix+"/"+name, y)
	}
	return turning{part("cos", "Cos"), part("sin", "Sin"), groups}
}

// factors are what cosines and sines of each plane are multiplied by; nil for 1.
func factors(s posenc.Spectrum) []float64 {
	if s.Gain == 1 && s.Removed == nil {
		return nil
	}
	f := make([]float64, len(s.InvFreq))
	for p := range f {
		f[p] = s.Gain
		if s.Removed != nil && s.Removed[p] {
			f[p] = 0
		}
	}
	return f
}

// half is the constant ½ as float64.
func (e *emitter) half() *graph.Value {
	if v := e.consts["/const/half"]; v != nil {
		return v
	}
	v := e.g.Tensor("/const/half", graph.Double, []int64{}, doubleBytes([]float64{0.5}))
	e.consts["/const/half"] = v
	return v
}
