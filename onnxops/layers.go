package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
)

// block emits one layer over x (batch*sequence, hidden).
func (e *emitter) block(i int, b *family.Block, x *graph.Value) *graph.Value {
	prefix := fmt.Sprintf("/layers.%d", i)
	h := e.attention(i, &b.Attn, e.norm(prefix+"/attn_norm", x, &b.AttnNorm), x)
	in := h
	if b.Parallel {
		in = x
	}
	return e.mlp(prefix+"/mlp", &b.MLP, e.norm(prefix+"/mlp_norm", in, &b.MLPNorm), h)
}

// linear emits W x + b over rows: Gemm on the weight as it is stored, (out, in).
func (e *emitter) linear(prefix string, x *graph.Value, l family.Linear) *graph.Value {
	in := []*graph.Value{x, e.weights.float32(l.Weight)}
	if b := e.weights.optional(l.Bias); b != nil {
		in = append(in, b)
	}
	return e.g.Op("Gemm", prefix+"/Gemm", in, graph.IntAttr("transB", 1))
}

// linearOnto emits residual + W x + b. Without a bias the residual takes its
// place in the Gemm, which saves a pass over it and a node.
func (e *emitter) linearOnto(prefix string, residual, x *graph.Value, l family.Linear) *graph.Value {
	if l.Bias != nil {
		return e.g.Op("Add", prefix+"/Add", []*graph.Value{residual, e.linear(prefix, x, l)})
	}
	in := []*graph.Value{x, e.weights.float32(l.Weight), residual}
	return e.g.Op("Gemm", prefix+"/Gemm", in, graph.IntAttr("transB", 1))
}

// norm normalises over the last axis.
func (e *emitter) norm(prefix string, x *graph.Value, n *family.Norm) *graph.Value {
	in := []*graph.Value{x, e.weights.float32(n.Weight)}
	op := "RMSNormalization"
	if n.Kind == family.LayerNorm {
		op = "LayerNormalization"
		if b := e.weights.optional(n.Bias); b != nil {
			in = append(in, b)
		}
	}
	return e.g.Op(op, prefix+"/"+op, in, graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", n.Eps))
}

// mlp emits residual + the feed-forward part over x.
func (e *emitter) mlp(prefix string, m *family.MLP, x, residual *graph.Value) *graph.Value {
	if !m.Gated {
		up := e.activation(prefix+"/act", m.Act, e.linear(prefix+"/up_proj", x, m.Up))
		return e.linearOnto(prefix+"/down_proj", residual, up, m.Down)
	}
	gate := e.activation(prefix+"/act", m.Act, e.linear(prefix+"/gate_proj", x, m.Gate))
	up := e.linear(prefix+"/up_proj", x, m.Up)
	return e.linearOnto(prefix+"/down_proj", residual, e.g.Op("Mul", prefix+"/Mul", []*graph.Value{gate, up}), m.Down)
}

func (e *emitter) activation(prefix, act string, x *graph.Value) *graph.Value {
	switch act {
	case "silu":
		s := e.g.Op("Sigmoid", prefix+"/Sigmoid", []*graph.Value{x})
		return e.g.Op("Mul", prefix+"/Mul", []*graph.Value{x, s})
	case "gelu":
		return e.g.Op("Gelu", prefix+"/Gelu", []*graph.Value{x})
	case "gelu_tanh":
		return e.g.Op("Gelu", prefix+"/Gelu", []*graph.Value{x}, graph.StringAttr("approximate", "tanh"))
	}
	e.g.Fail(unsupported("activation %q: known are silu, gelu and gelu_tanh", act))
	return x
}
