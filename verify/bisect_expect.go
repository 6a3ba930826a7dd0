package verify

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/run"
)

// counterpart says how a value of the graph follows from what ref computes: the
// taps it needs, and what they make.
type counterpart struct {
	taps []string
	make func(t map[string][]float64) *wanted
}

// expecter knows the counterparts of one call's values.
type expecter struct {
	s         *session
	in        run.Input
	b, n, old int // batch, tokens, past
	cache     *ref.Cache
}

func newExpecter(s *session, in run.Input, past *ref.Cache) *expecter {
	e := &expecter{s: s, in: in, cache: past}
	e.b, e.n = in.Batch()
	if past != nil {
		e.old = past.Length
	}
	return e
}

func (e *expecter) total() int { return e.old + e.n }

// real tells tokens from padding.
func (e *expecter) real(b, token int) bool { return e.in.Mask[b][e.old+token] != 0 }

// rows are (tokens, width) in any grouping of width.
func (e *expecter) rows(f []float64, shape ...int) *wanted {
	width := len(f) / (e.b * e.n)
	return &wanted{shape: shape, f: f, keep: func(k int) bool {
		t := k / width
		return e.real(t/e.n, t%e.n)
	}}
}

// flat are rows of (batch·tokens, width).
func (e *expecter) flat(f []float64) *wanted { return e.rows(f, e.b*e.n, len(f)/(e.b*e.n)) }

// heads turns (batch, tokens, heads, d) into (batch, heads, tokens, d).
func (e *expecter) heads(f []float64, n int) *wanted {
	d := len(f) / (e.b * e.n * n)
	out := make([]float64, len(f))
	for b := range e.b {
		for t := range e.n {
			for h := range n {
				copy(out[((b*n+h)*e.n+t)*d:][:d], f[((b*e.n+t)*n+h)*d:][:d])
			}
		}
	}
	return &wanted{shape: []int{e.b, n, e.n, d}, f: out, keep: func(k int) bool { return e.real(k/(n*e.n*d), k/d%e.n) }}
}

// cached is what a layer hands to the next call: the past, then the new rows.
func (e *expecter) cached(f []float64, n int, past []float64) *wanted {
	d, total := len(f)/(e.b*e.n*n), e.total()
	out := make([]float64, e.b*n*total*d)
	for b := range e.b {
		for h := range n {
			copy(out[(b*n+h)*total*d:], past[(b*n+h)*e.old*d:][:e.old*d])
			for t := range e.n {
				copy(out[((b*n+h)*total+e.old+t)*d:][:d], f[((b*e.n+t)*n+h)*d:][:d])
			}
		}
	}
	return &wanted{shape: []int{e.b, n, total, d}, f: out, keep: func(k int) bool { return e.in.Mask[k/(n*total*d)][k/d%total] != 0 }}
}

// plain is the counterpart that one tap alone makes.
func plain(tap string, make func(f []float64) *wanted) *counterpart {
	return &counterpart{[]string{tap}, func(t map[string][]float64) *wanted { return make(t[tap]) }}
}

// of returns the counterpart of a node's output, nil where ref computes nothing
// of the kind. layer is the stage's.
func (e *expecter) of(n *onnxpb.NodeProto, output int, layer int) *counterpart {
	name := n.GetName()
	prefix := fmt.Sprintf("/layers.%d", layer)
	switch {
	case layer >= 0 && layer < len(e.s.model.Blocks) && strings.HasPrefix(name, prefix+"/attn/"):
		return e.ofAttention(n, strings.TrimPrefix(name, prefix+"/attn/"), output, layer)
	case layer >= 0 && layer < len(e.s.model.Blocks) && strings.HasPrefix(name, prefix+"/"):
		return e.ofBlock(n, strings.TrimPrefix(name, prefix+"/"), layer)
	case name == "/embed/Gather", name == "/embed/Cast":
		return plain("/embed", e.flat)
	case strings.HasPrefix(name, "/embed_norm/"):
		return plain("/embed_norm", e.flat)
	case strings.HasPrefix(name, "/final_norm/"):
		return plain("/final_norm", e.flat)
	case name == "/head/Gemm":
		return plain("/logits", e.flat)
	case name == "/head/Reshape":
		return plain("/logits", func(f []float64) *wanted { return e.rows(f, e.b, e.n, len(f)/(e.b*e.n)) })
	}
	return e.ofShared(n)
}

// ofBlock are the counterparts outside of attention.
func (e *expecter) ofBlock(n *onnxpb.NodeProto, step string, layer int) *counterpart {
	b := &e.s.model.Blocks[layer]
	tap := func(name string) string { return fmt.Sprintf("/layers.%d/%s", layer, name) }
	inner, act := tap("mlp/up_proj"), b.MLP().Act
	if b.MLP().Gated {
		inner = tap("mlp/gate_proj")
	}
	switch part, _, _ := strings.Cut(step, "/"); {
	case part == "attn_norm" || part == "mlp_norm":
		return plain(tap(part), e.flat)
	case step == "mlp/gate_proj/Gemm", step == "mlp/up_proj/Gemm":
		return plain(tap(strings.TrimSuffix(step, "/Gemm")), e.flat)
	case step == "mlp/act/Sigmoid":
		return plain(inner, func(f []float64) *wanted { return e.flat(each(f, sigmoid)) })
	case strings.HasPrefix(step, "mlp/act/") && !b.MLP().Gated, step == "mlp/Mul":
		return plain(tap("mlp/act"), e.flat)
	case strings.HasPrefix(step, "mlp/act/") && activations[act] != nil:
		return plain(inner, func(f []float64) *wanted { return e.flat(each(f, activations[act])) })
	case step == "mlp/down_proj/Gemm" && b.MLP().Down.Bias != nil:
		return plain(tap("mlp/down_proj"), e.flat)
	case strings.HasPrefix(step, "mlp/down_proj/"):
		return plain(tap("output"), e.flat)
	}
	return nil
}

func each(f []float64, g func(float64) float64) []float64 {
	out := make([]float64, len(f))
	for i, x := range f {
		out[i] = g(x)
	}
	return out
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var activations = map[string]func(float64) float64{
	"silu": func(x float64) float64 { return x * sigmoid(x) },
	"gelu": func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
	"gelu_tanh": func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	},
}

// stream is the tap of the residual stream that goes into a layer.
func (e *expecter) stream(layer int) string {
	switch {
	case layer > 0:
		return fmt.Sprintf("/layers.%d/output", layer-1)
	case e.s.model.EmbedNorm != nil:
		return "/embed_norm"
	}
	return "/embed"
}

// projections are a layer's parts of attention that project the normed input.
func projections(a *family.Attention) map[string]struct {
	linear *family.Linear
	heads  int
	shift  bool
	norm   bool
} {
	type part = struct {
		linear *family.Linear
		heads  int
		shift  bool
		norm   bool
	}
	return map[string]part{
		"q": {&a.Q, a.Heads, false, a.QNorm != nil},
		"k": {&a.K, a.KVHeads, a.KShift != nil, a.KNorm != nil},
		"v": {&a.V, a.KVHeads, a.VShift != nil, false},
	}
}
