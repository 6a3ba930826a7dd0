package onnxops

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
)

// maskedBias is the bias as a term of the scores, (batch, heads, sequence, total).
func (e *emitter) maskedBias(l *layer) *graph.Value {
	b := l.attn.Bias
	switch {
	case b.Kind == family.Path:
		return e.pathIntegral(l)
	case b.Kind == family.Forget:
		return e.maskedForget(l)
	case b.Kind == family.Kerple:
		return e.once(fmt.Sprint("/bias/kernel", b.Power, b.Slopes, b.R2), func() *graph.Value { return e.kernel(l) })
	case b.RoundBF16:
		return e.roundedALiBi(l)
	case b.Kind == family.ALiBi:
		return e.once(fmt.Sprint("/bias/mask", slopes(l.attn)), func() *graph.Value { return e.relative(l) })
	}
	return e.relative(l)
}

// relative is rate times distance. Gates of keys are cached.
func (e *emitter) relative(l *layer) *graph.Value {
	prefix := l.at(family.AtBias)
	query, key := e.relativeRates(l, prefix)
	return e.g.Add(graph.Node{
		Domain: ops.Domain, Op: "RelativeBias", Name: prefix + "/RelativeBias",
		In: []*graph.Value{e.floatPositions(), e.floatKeyPositions(), query, key},
	})[0]
}

// kernel is KERPLE: of the distance alone.
func (e *emitter) kernel(l *layer) *graph.Value {
	prefix, b := l.at(family.AtBias), l.attn.Bias
	op := "LogBias"
	if b.Power {
		op = "PowerBias"
	}
	perHead := []int64{1, int64(l.attn.Heads), 1, 1}
	return e.g.Add(graph.Node{
		Domain: ops.Domain, Op: op, Name: prefix + "/" + op,
		In: []*graph.Value{e.floatPositions(), e.floatKeyPositions(), e.floats(prefix+"/r1", perHead, b.Slopes), e.floats(prefix+"/r2", perHead, b.R2)},
	})[0]
}

// relativeRates are what RelativeBias takes of queries and keys.
func (e *emitter) relativeRates(l *layer, prefix string) (query, key *graph.Value) {
	a, g := l.attn, e.g
	none := func(heads int) *graph.Value {
		return e.floats(fmt.Sprintf("no_rate%d", heads), []int64{1, int64(heads), 1, 1}, make([]float64, heads))
	}
	switch {
	case a.Bias.Kind == family.ALiBi:
		query = e.floats(prefix+"/slopes", []int64{1, int64(a.Heads), 1, 1}, slopes(a))
	case len(a.Bias.V) > 0:
		query = e.gate(l, "query", a.Bias.V, 1)
	default:
		query = none(a.Heads)
	}
	if a.Bias.Kind == family.Gated && len(a.Bias.U) > 0 {
		key = e.gate(l, "key", a.Bias.U, 1)
		key = g.Op("Transpose", prefix+"/key_gate/Transpose", []*graph.Value{key}, graph.IntsAttr("perm", 0, 1, 3, 2))
		key = g.Op("Reshape", prefix+"/key_gate/Reshape", []*graph.Value{key, e.ints(fmt.Sprintf("gates%d", a.Heads), 0, int64(a.Heads), -1, 1)})
		key = e.grown(l, "gate", key)
		key = g.Op("Transpose", prefix+"/key_gate/row/Transpose", []*graph.Value{key}, graph.IntsAttr("perm", 0, 1, 3, 2))
	} else {
		key = none(1)
	}
	return query, key
}

// maskedForget is F_i − F_j, whose parts are cached.
func (e *emitter) maskedForget(l *layer) *graph.Value {
	g, prefix := e.g, l.prefix+"/bias/forget"
	sum := e.pathBias(l, 1)
	part := func(name string, v *graph.Value) *graph.Value {
		all := e.grown(l, "forget_"+name, v)
		row := g.Op("Transpose", prefix+"/"+name+"/Transpose", []*graph.Value{all}, graph.IntsAttr("perm", 0, 1, 3, 2))
		return g.Op("Sub", prefix+"/"+name+"/Sub", []*graph.Value{v, row})
	}
	return g.Op("Add", prefix+"/Add", []*graph.Value{part("whole", sum.whole), part("fraction", sum.fraction)})
}

// roundedALiBi takes every position's rounded term from a table.
func (e *emitter) roundedALiBi(l *layer) *graph.Value {
	a, g := l.attn, e.g
	return e.once(fmt.Sprint("/bias/rounded", a.Bias.Slopes, factor(a)), func() *graph.Value {
		prefix := l.prefix + "/bias/rounded"
		var terms []float64
		for j := range e.opts.MaxLength {
			for _, s := range a.Bias.Slopes {
				terms = append(terms, factor(a)*posenc.BFloat16.Round(posenc.BFloat16.Round(s)*posenc.BFloat16.Round(float64(j))))
			}
		}
		table := e.floats(prefix+"/terms", []int64{int64(e.opts.MaxLength), int64(a.Heads)}, terms)
		side := func(name string, at *graph.Value, axis string, n int64) *graph.Value {
			v := g.Op("Gather", prefix+"/"+name+"/Gather", []*graph.Value{table, at})
			v = g.Op("Transpose", prefix+"/"+name+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1))
			return g.Op("Unsqueeze", prefix+"/"+name+"/Unsqueeze", []*graph.Value{v, e.ints(axis, n)})
		}
		known := e.insideTables(prefix+"/key/Clip", e.keyPositions()) // padding has none
		return g.Op("Sub", prefix+"/Sub", []*graph.Value{side("key", known, "axis2", 2), side("query", e.positions, "axis3", 3)})
	})
}

// pathIntegral is GRAPE-AP.
func (e *emitter) pathIntegral(l *layer) *graph.Value {
	prefix := l.at(names.PathNorm)
	query, key := e.pathVectors(l)
	seen := e.once("/mask/seen", func() *graph.Value {
		base := e.maskBase()
		return e.g.Op("And", names.MaskSeen, []*graph.Value{base.causal, base.real})
	})
	return e.g.Add(graph.Node{
		Domain: ops.Domain, Op: "PathIntegralBias", Name: prefix + "/PathIntegralBias",
		In: []*graph.Value{query, key, e.pathRates(l), seen},
	})[0]
}

// pathRates are β of each head, (1, heads, 1, 1).
func (e *emitter) pathRates(l *layer) *graph.Value {
	return e.floats(l.at(names.PathNorm)+"/beta", []int64{1, int64(l.attn.Heads), 1, 1}, l.attn.Bias.Slopes)
}

// pathVectors are GRAPE-AP's of the queries and of all keys, whose turned ones are
// cached.
func (e *emitter) pathVectors(l *layer) (query, key *graph.Value) {
	a, b, g, prefix := l.attn, l.attn.Bias, e.g, l.at(names.PathNorm)
	var p *graph.Value
	if b.P != nil {
		p = e.linear(l.at(family.AtPathProj), l.x, *b.P)
		p = g.Op("Reshape", prefix+"/Reshape", []*graph.Value{p, e.headShape(a.Heads, b.PDim)})
		p = g.Op("Transpose", prefix+"/Transpose", []*graph.Value{p}, graph.IntsAttr("perm", 0, 2, 1, 3))
	} else {
		p = e.repeated(prefix, a, b.Tie, l.token[b.Tie]())
	}
	one := make([]float64, b.PDim)
	for i := range one {
		one[i] = 1
	}
	key = g.Op("RMSNormalization", prefix+"/RMSNormalization", []*graph.Value{p, e.floats(fmt.Sprintf("ones%d", b.PDim), []int64{int64(b.PDim)}, one)},
		graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", b.Eps))
	t := e.pathTurning(b.PDim / 2)
	key = g.Add(graph.Node{
		Domain: ops.Domain, Op: "Rotation", Name: prefix + "/Rotation", In: []*graph.Value{key, t.cos, t.sin},
		Attrs: []graph.Attr{graph.IntAttr("interleaved", 0), graph.IntAttr("rotary_embedding_dim", rotaryDim(b.PDim, b.PDim))},
	})[0]
	return p, e.grown(l, "path", key)
}

// pathTurning turns every one of planes planes by −1 radian per position.
func (e *emitter) pathTurning(planes int) turning {
	r := posenc.Rotary{HeadDim: 2, Dim: 2, Spectrum: posenc.Spectrum{InvFreq: []float64{-1}, Gain: 1}}
	t := e.tablesOf(&e.pathRotaries, names.RotaryPath, r)
	wide := func(name string, v *graph.Value) *graph.Value {
		key := fmt.Sprintf("/rotary_path/%s/wide%d", name, planes)
		return e.once(key, func() *graph.Value {
			return e.g.Op("Concat", key+"/Concat", slices.Repeat([]*graph.Value{v}, planes), graph.IntAttr("axis", 2))
		})
	}
	return turning{wide("cos", t.cos), wide("sin", t.sin), 1}
}

// repeated gives every query head the head that it reads of queries, keys or
// values v.
func (e *emitter) repeated(prefix string, a *family.Attention, part string, v *graph.Value) *graph.Value {
	share, d := a.Heads/a.KVHeads, tieSize(a, part)
	if part == "q" || share == 1 {
		return v
	}
	v = e.g.Op("Unsqueeze", prefix+"/repeat/Unsqueeze", []*graph.Value{v, e.ints("axis2", 2)})
	v = e.g.Op("Concat", prefix+"/repeat/Concat", slices.Repeat([]*graph.Value{v}, share), graph.IntAttr("axis", 2))
	return e.g.Op("Reshape", prefix+"/repeat/Reshape", []*graph.Value{v, e.ints(fmt.Sprintf("repeat%dx%d", a.Heads, d), 0, int64(a.Heads), -1, int64(d))})
}

// keyPositions are the positions of all keys, (batch, total): the tokens up to
// each, counted from what this call's positions say. Positions must therefore
// rise by one from token to token.
func (e *emitter) keyPositions() *graph.Value {
	return e.once("/place/keys", func() *graph.Value {
		g := e.g
		count := g.Op("CumSum", "/place/keys/CumSum", []*graph.Value{e.mask, e.int64Scalar("1", 1)})
		now := g.Op("Gather", "/place/keys/Gather", []*graph.Value{count, e.maskBase().index}, graph.IntAttr("axis", 1))
		first := g.Op("Sub", "/place/keys/first/Sub", []*graph.Value{e.positions, now})
		isReal := g.Op("Greater", "/place/keys/real/Greater", []*graph.Value{e.realNow(), e.int64Scalar("0", 0)})
		first = g.Op("Where", "/place/keys/first/Where", []*graph.Value{isReal, first, e.int64Scalar("unknown", -1<<20)})
		first = g.Op("ReduceMax", "/place/keys/first/ReduceMax", []*graph.Value{first, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 1))
		return g.Op("Add", "/place/keys/Add", []*graph.Value{count, first})
	})
}

func (e *emitter) floatKeyPositions() *graph.Value {
	return e.once("/place/keys/float", func() *graph.Value {
		return e.g.Op("Cast", "/place/keys/Cast", []*graph.Value{e.keyPositions()}, graph.IntAttr("to", int(graph.Float)))
	})
}

func (e *emitter) floatPositions() *graph.Value {
	return e.once("/place/float", func() *graph.Value {
		return e.g.Op("Cast", "/place/float/Cast", []*graph.Value{e.positions}, graph.IntAttr("to", int(graph.Float)))
	})
}
