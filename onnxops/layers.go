package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
)

// block emits one layer over x (batch*sequence, hidden).
func (e *emitter) block(i int, b *family.Block, x *graph.Value) *graph.Value {
	g, prefix := e.g, fmt.Sprintf("/layers.%d", i)
	attn := e.attention(i, &b.Attn, e.norm(prefix+"/attn_norm", x, &b.AttnNorm))
	h := g.Op("Add", prefix+"/attn/Add", []*graph.Value{x, attn})
	if b.Parallel {
		mlp := e.mlp(prefix+"/mlp", &b.MLP, e.norm(prefix+"/mlp_norm", x, &b.MLPNorm))
		return g.Op("Add", prefix+"/mlp/Add", []*graph.Value{h, mlp})
	}
	mlp := e.mlp(prefix+"/mlp", &b.MLP, e.norm(prefix+"/mlp_norm", h, &b.MLPNorm))
	return g.Op("Add", prefix+"/mlp/Add", []*graph.Value{h, mlp})
}

// linear emits W x + b over rows: Gemm on the weight as it is stored, (out, in).
func (e *emitter) linear(prefix string, x *graph.Value, l family.Linear) *graph.Value {
	in := []*graph.Value{x, e.weights.float32(l.Weight)}
	if b := e.weights.optional(l.Bias); b != nil {
		in = append(in, b)
	}
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

// mlp emits the feed-forward part.
func (e *emitter) mlp(prefix string, m *family.MLP, x *graph.Value) *graph.Value {
	if !m.Gated {
		up := e.activation(prefix+"/act", m.Act, e.linear(prefix+"/up_proj", x, m.Up))
		return e.linear(prefix+"/down_proj", up, m.Down)
	}
	gate := e.activation(prefix+"/act", m.Act, e.linear(prefix+"/gate_proj", x, m.Gate))
	up := e.linear(prefix+"/up_proj", x, m.Up)
	return e.linear(prefix+"/down_proj", e.g.Op("Mul", prefix+"/Mul", []*graph.Value{gate, up}), m.Down)
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
