package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// block emits one layer over x (batch*sequence, hidden).
func (e *emitter) block(i int, b *family.Block, x *graph.Value) *graph.Value {
	if b.Residual != nil {
		return e.normedBlock(i, b, x)
	}
	at := func(place string) string { return names.Layer(i, place) }
	h := e.joined(at(names.AttnResidual), x, b.ResidualScale, at(family.AtAttnOut), b.AttnOutNorm, func(onto *graph.Value) *graph.Value {
		in := e.norm(at(family.AtAttnNorm), x, b.AttnNorm)
		return e.mixers(i, b, in, onto)
	})
	h = e.mixed(i, b, h)
	in := h
	if b.Parallel {
		in = x
	}
	if e.shortcut != nil {
		h = e.g.Op("Add", names.Node(at(names.Shortcut), "Add"), []*graph.Value{h, e.shortcut})
		e.shortcut = nil
	}
	y := e.joined(at(names.AfterMLP(b)), h, b.ResidualScale, at(family.AtMLPOut), b.MLPOutNorm, func(onto *graph.Value) *graph.Value {
		normed := e.norm(at(family.AtMLPNorm), in, b.MLPNorm)
		if b.Shortcut != nil {
			e.shortcut = e.experts(at, b.Shortcut, normed, normed, nil)
		}
		if b.Side != nil {
			return e.beside(at, b.Side, e.feedForward(at, b, normed, nil), in, onto)
		}
		return e.feedForward(at, b, normed, onto)
	})
	if b.PerLayer != nil {
		y = e.perLayer(i, b, y)
	}
	if b.Scalar != nil {
		y = e.g.Op("Mul", names.Node(at(names.Output), "Mul"), []*graph.Value{y, e.weights.float32(*b.Scalar)})
	}
	return y
}

// normedBlock is block where the norms replace the stream.
func (e *emitter) normedBlock(i int, b *family.Block, x *graph.Value) *graph.Value {
	at := func(place string) string { return names.Layer(i, place) }
	sum := func(place string, keep, add float64, kept, added *graph.Value) *graph.Value {
		kept, added = e.scaled(at(place)+"/kept/Mul", kept, keep), e.scaled(at(place)+"/scaled/Mul", added, add)
		return e.g.Op("Add", names.Node(at(place), "Add"), []*graph.Value{kept, added})
	}
	a := e.norm(at(family.AtAttnNorm), x, b.AttnNorm)
	h := sum(names.AttnResidual, b.Residual.AttnKeep, b.Residual.AttnAdd, a, e.mixers(i, b, a, nil))
	m := e.norm(at(family.AtMLPNorm), h, b.MLPNorm)
	return sum(names.Output, b.Residual.MLPKeep, b.Residual.MLPAdd, m, e.feedForward(at, b, m, nil))
}

// mixers emits residual + what the layer's mixer, or two side by side, make of x.
func (e *emitter) mixers(i int, b *family.Block, x, residual *graph.Value) *graph.Value {
	second, ok := b.Second.(*family.Mamba)
	if !ok {
		return e.mixer(i, b.Mixer, x, residual)
	}
	path := names.Layer(i, names.AttnResidual)
	y := e.scaled(path+"/scaled_mixer/Mul", e.mixer(i, b.Mixer, x, nil), b.MixerScale)
	y = e.g.Op("Add", path+"/mixers/Add", []*graph.Value{y, e.mamba(i, second, x, nil)})
	if residual == nil {
		return y
	}
	return e.g.Op("Add", names.Node(path, "Add"), []*graph.Value{residual, y})
}

// mixer emits residual + attention over x, or what takes its place.
func (e *emitter) mixer(i int, b family.Branch, x, residual *graph.Value) *graph.Value {
	switch m := b.(type) {
	case *family.ShortConv:
		return e.shortConv(i, m, x, residual)
	case *family.Mamba:
		return e.mamba(i, m, x, residual)
	case *family.RGLRU:
		return e.rglru(i, m, x, residual)
	case *family.Lightning:
		return e.lightning(i, m, x, residual)
	case *family.DeltaNet:
		return e.deltaNet(i, m, x, residual)
	}
	a, _ := b.(*family.Attention)
	return e.attention(i, a, x, residual)
}

// joined emits residual + a branch times a factor, 0 for none. Where the branch's
// output has neither norm nor factor, the branch adds the residual by itself, which
// saves a node; else it is given nil.
func (e *emitter) joined(sum string, residual *graph.Value, factor float64, prefix string, n *family.Norm, branch func(onto *graph.Value) *graph.Value) *graph.Value {
	if n == nil && factor == 0 {
		return branch(residual)
	}
	y := e.scaled(sum+"/scaled/Mul", e.norm(prefix, branch(nil), n), factor)
	return e.g.Op("Add", sum+"/Add", []*graph.Value{residual, y})
}

// linear emits W x + b over rows.
func (e *emitter) linear(prefix string, x *graph.Value, l family.Linear) *graph.Value {
	return e.product(prefix+"/Gemm", x, l.Weight, e.weights.optional(l.Bias))
}

// linearOnto emits residual + W x + b; a nil residual is none. Without a bias the residual takes its
// place in the Gemm, which saves a pass over it and a node.
func (e *emitter) linearOnto(prefix string, residual, x *graph.Value, l family.Linear) *graph.Value {
	if residual == nil {
		return e.linear(prefix, x, l)
	}
	if l.Bias != nil {
		return e.g.Op("Add", prefix+"/Add", []*graph.Value{residual, e.linear(prefix, x, l)})
	}
	return e.product(prefix+"/Gemm", x, l.Weight, residual)
}

// product emits W x + c over rows, c nil for none, under the name of a Gemm: that on
// the weight as it is stored, (out, in), or with LinearMatMul a MatMul on its
// transpose, and an Add; of codes of 4 bits MatMulNBits, and an Add.
func (e *emitter) product(name string, x *graph.Value, w family.Weight, c *graph.Value) *graph.Value {
	if e.opts.Linear == LinearMatMul {
		if c == nil {
			return e.g.Op("MatMul", name, []*graph.Value{x, e.weights.transposed(w)})
		}
		y := e.g.Op("MatMul", name+"/MatMul", []*graph.Value{x, e.weights.transposed(w)})
		return e.g.Op("Add", name, []*graph.Value{y, c})
	}
	if r := e.rounds(w); r != nil {
		return e.roundedProduct(name, x, c, r)
	}
	if q := e.byCodes(w); q != nil {
		return e.nbits(name, x, c, q)
	}
	in := []*graph.Value{x, e.weights.float32(w)}
	if c != nil {
		in = append(in, c)
	}
	return e.g.Op("Gemm", name, in, graph.IntAttr("transB", 1))
}

// norm normalises over the last axis; a nil norm leaves x.
func (e *emitter) norm(prefix string, x *graph.Value, n *family.Norm) *graph.Value {
	if n == nil {
		return x
	}
	in := []*graph.Value{x, e.factors(prefix, n)}
	op := names.NormOp(n)
	if b := e.weights.optional(n.Bias); b != nil {
		in = append(in, b)
	}
	y := e.g.Op(op, prefix+"/"+op, in, graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", n.Eps))
	if n.PerHead != nil {
		y = e.g.Op("Mul", prefix+names.PerHead, []*graph.Value{y, e.headWeights(prefix, n)})
	}
	return y
}

// headWeights are the weights of a norm that each head has for itself, (heads, size).
func (e *emitter) headWeights(prefix string, n *family.Norm) *graph.Value {
	w := n.PerHead[0]
	if len(w.Stored) == 2 { // rows of one tensor
		return e.weights.float32(family.Weight{Tensor: w.Tensor, Shape: w.Stored, Stored: w.Stored})
	}
	var all []*graph.Value
	for _, w := range n.PerHead {
		all = append(all, e.weights.float32(w))
	}
	v := e.g.Op("Concat", prefix+"/weights/Concat", all, graph.IntAttr("axis", 0))
	return e.g.Op("Reshape", prefix+"/weights/Reshape", []*graph.Value{v, e.ints(fmt.Sprintf("weights%dx%d", len(all), n.Size), int64(len(all)), int64(n.Size))})
}

// factors are the numbers w of a norm: Offset plus the stored weight, or ones.
func (e *emitter) factors(prefix string, n *family.Norm) *graph.Value {
	if n.Weight.Tensor == "" {
		ones := make([]float64, n.Size)
		for i := range ones {
			ones[i] = 1
		}
		return e.floats(fmt.Sprintf("ones%d", n.Size), []int64{int64(n.Size)}, ones)
	}
	if n.Offset == 0 {
		return e.weights.float32(n.Weight)
	}
	defer e.g.Wide()()
	w := e.weights.float32(n.Weight)
	return e.once("/offset/"+n.Weight.Tensor, func() *graph.Value {
		return e.g.Op("Add", prefix+"/weight/Add", []*graph.Value{w, e.scalar("norm_offset", n.Offset)})
	})
}

// feedForward emits residual + the block's MLP, or its mixture of experts.
func (e *emitter) feedForward(at func(place string) string, b *family.Block, x, residual *graph.Value) *graph.Value {
	if m := b.Mixture(); m != nil {
		return e.experts(at, m, x, x, residual)
	}
	return e.mlp(at, b.MLP(), x, residual)
}

// mlp emits residual + the MLP over x; at names its places.
func (e *emitter) mlp(at func(place string) string, m *family.MLP, x, residual *graph.Value) *graph.Value {
	gate, up := e.gateAndUp(at, m, x)
	y := e.inner(at, m, gate, up)
	return e.linearOnto(at(family.AtDown), residual, e.norm(at(family.AtDownNorm), y, m.DownNorm), m.Down)
}

// gateAndUp emits the gate's linear, nil where there is none, and Up's.
func (e *emitter) gateAndUp(at func(place string) string, m *family.MLP, x *graph.Value) (gate, up *graph.Value) {
	if !e.together(m) {
		return e.mlpGate(at, m, x), e.linear(at(family.AtUp), x, m.Up)
	}
	path := at(names.GateUp)
	y := e.joinedProduct(path, x, m.Gate, m.Up)
	rows := []int64{m.Gate.Weight.Shape[0], m.Up.Weight.Shape[0]}
	parts := cutLast(e.g, path, y, e.ints(fmt.Sprintf("gate%d_up%d", rows[0], rows[1]), rows...), 2)
	return parts[0], parts[1]
}

// together tells whether gate and up are one product that is cut, which AttentionORT
// leaves to its graphs alone as it does of queries, keys and values. Codes with lows have
// two products for each map, of which two less are worth the cut: 2% of a token. Without
// lows the cut costs what it saves.
func (e *emitter) together(m *family.MLP) bool {
	if !m.Gated || e.opts.Attention != AttentionORT || e.opts.Linear == LinearMatMul || (m.Gate.Bias == nil) != (m.Up.Bias == nil) {
		return false
	}
	codes := e.joinable(m.Gate, m.Up)
	return codes != nil && codes[0].scheme.Zeros == nearest.ZeroFloat
}

// mlpGate emits the gate's linear, nil where there is none.
func (e *emitter) mlpGate(at func(place string) string, m *family.MLP, x *graph.Value) *graph.Value {
	if !m.Gated {
		return nil
	}
	return e.linear(at(family.AtGate), x, m.Gate)
}

// inner emits what enters Down, or its norm, of what gate and up made.
func (e *emitter) inner(at func(place string) string, m *family.MLP, gate, up *graph.Value) *graph.Value {
	switch scaled := m.GateScale != 0 || m.InnerScale != 0; {
	case scaled && (m.Clamp != nil || !m.Gated):
		e.g.Fail(unsupported("factors of an MLP that is clamped or has no gate"))
		return up
	case m.Clamp != nil:
		return e.clamped(at, m, gate, up)
	case !m.Gated:
		return e.activation(at(names.Act), m, up)
	}
	gate = e.activation(at(names.Act), m, e.scaled(names.Node(at(names.Act)+"/gate_scaled", "Mul"), gate, m.GateScale))
	up = e.scaled(names.Node(at(names.Act)+"/up_scaled", "Mul"), up, m.InnerScale)
	return e.g.Op("Mul", names.Node(at(family.AtMLP), "Mul"), []*graph.Value{gate, up})
}

func (e *emitter) activation(prefix string, m *family.MLP, x *graph.Value) *graph.Value {
	switch m.Act {
	case "silu":
		s := e.g.Op("Sigmoid", prefix+"/Sigmoid", []*graph.Value{x})
		return e.g.Op("Mul", prefix+"/Mul", []*graph.Value{x, s})
	case "gelu":
		return e.g.Op("Gelu", prefix+"/Gelu", []*graph.Value{x})
	case "gelu_tanh":
		return e.g.Op("Gelu", prefix+"/Gelu", []*graph.Value{x}, graph.StringAttr("approximate", "tanh"))
	case "relu":
		return e.g.Op("Relu", prefix+"/Relu", []*graph.Value{x})
	case "relu2":
		r := e.g.Op("Relu", prefix+"/Relu", []*graph.Value{x})
		return e.g.Op("Mul", prefix+"/Mul", []*graph.Value{r, r})
	case "xielu":
		if m.XIELU != nil {
			return e.xielu(prefix, m.XIELU, x)
		}
	}
	e.g.Fail(unsupported("activation %q: known are silu, gelu, gelu_tanh, relu, relu2 and xielu with its numbers", m.Act))
	return x
}

// xielu emits the activation of [family.XIELU] from its stored numbers.
func (e *emitter) xielu(prefix string, n *family.XIELU, x *graph.Value) *graph.Value {
	defer e.g.Wide()()
	op := func(op, name string, in ...*graph.Value) *graph.Value {
		return e.g.Op(op, prefix+"/"+name+"/"+op, in)
	}
	beta := e.weights.float32(n.Beta)
	line := op("Mul", "line", x, beta)
	positive := op("Mul", "square/scaled", op("Mul", "square", x, x), op("Softplus", "alpha_p", e.weights.float32(n.AlphaP)))
	low := op("Exp", "exp", op("Min", "low", x, e.weights.float32(n.Eps)))
	low = op("Sub", "less_x", op("Sub", "less_1", low, e.scalar("xielu_one", 1)), x)
	negative := op("Mul", "negative", low, op("Add", "alpha_n", op("Softplus", "alpha_n", e.weights.float32(n.AlphaN)), beta))
	curve := op("Where", "curve", op("Greater", "positive", x, e.scalar("xielu_zero", 0)), positive, negative)
	return e.g.Op("Add", prefix+"/Add", []*graph.Value{curve, line})
}
