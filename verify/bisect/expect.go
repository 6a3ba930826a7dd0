package bisect

import (
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
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
	s         *search
	in        run.Input
	b, n, old int // batch, tokens, past
	cache     *ref.Cache
	// threeAxes: what layers hand on is (batch, tokens, width).
	threeAxes bool
}

func newExpecter(s *search, in run.Input, past *ref.Cache) *expecter {
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

// flat are rows of (batch·tokens, width), or of (batch, tokens, width) where the stream
// has three axes.
func (e *expecter) flat(f []float64) *wanted {
	if e.threeAxes {
		return e.tokens(f)
	}
	return e.rows(f, e.b*e.n, len(f)/(e.b*e.n))
}

// tokens are (batch, tokens, width).
func (e *expecter) tokens(f []float64) *wanted { return e.rows(f, e.b, e.n, len(f)/(e.b*e.n)) }

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
	if of, place := names.Split(name); of >= 0 {
		within := *e
		within.threeAxes = slices.ContainsFunc(e.s.info.Written.Nodes, func(n *onnxpb.NodeProto) bool { return n.GetName() == names.StreamOfTokens })
		switch {
		case of != layer || layer >= len(e.s.model.Blocks):
			return nil
		case strings.HasPrefix(place, family.AtAttn+"/"):
			return within.ofAttention(n, place, output, layer)
		}
		return within.ofBlock(n, place, output, layer)
	}
	switch name {
	case names.EmbedRows, names.EmbedCast:
		return plain(names.Outside(family.AtEmbed), e.flat)
	case names.StreamOfTokens:
		return plain(e.stream(0), e.tokens)
	case names.StreamOfRows:
		return plain(e.stream(len(e.s.model.Blocks)), e.flat)
	case names.Guard:
		return plain(names.Outside(family.AtFinalNorm), e.flat)
	case names.EmbedScaled, names.EmbedShifted:
		return plain(name, e.flat)
	case names.Node(names.Outside(family.AtHeadDense), "Gemm"):
		return plain(names.Outside(family.AtHeadDense), e.flat)
	case names.HeadRows:
		if e.s.model.LogitScale != 0 || e.s.model.LogitCap != 0 {
			return nil // the reference shows the finished ones alone
		}
		return plain(names.LogitsTap, e.flat)
	case names.HeadOut:
		return plain(names.LogitsTap, e.tokens)
	}
	if e.s.model.ByLayer != nil && strings.HasPrefix(name, names.Outside(names.ByLayer)) {
		return e.ofByLayer(name)
	}
	if p, ok := e.s.partOf(name); ok && p.Kind == family.KindNorm {
		return plain(p.Path(), e.flat)
	}
	return e.ofShared(n, output)
}

// ofBlock are the counterparts outside of attention; place is the node's name in
// its layer.
func (e *expecter) ofBlock(n *onnxpb.NodeProto, place string, output, layer int) *counterpart {
	b := &e.s.model.Blocks[layer]
	tap := func(place string) string { return names.Layer(layer, place) }
	if d, ok := b.Mixer.(*family.DeltaNet); ok && strings.HasPrefix(place, family.AtDelta+"/") && n.GetName() != names.Sum(layer, b, false) {
		return e.ofDelta(d, place, tap)
	}
	if p, ok := e.s.partOf(n.GetName()); ok && p.Kind == family.KindNorm {
		return plain(p.Path(), e.flat)
	}
	switch name := n.GetName(); {
	case name == names.Sum(layer, b, false):
		return e.afterAttention(b, layer)
	case name == names.Last(layer, b):
		return plain(tap(names.Output), e.flat)
	case name == names.Sum(layer, b, true):
		return plain(tap(names.AfterMLP(b)), e.flat)
	case b.PerLayer != nil && strings.HasPrefix(place, names.PerLayer+"/"), place == names.Node(names.Unscaled, "Add"):
		return e.ofPerLayer(b, place, tap)
	case place == names.Node(names.Chosen, "ReduceSum"):
		return plain(tap(names.Chosen), e.flat)
	case place == names.Node(family.AtConvIn, "Gemm"):
		return plain(tap(family.AtConvIn), e.flat)
	case place == names.Node(names.ConvMixed, "Mul"):
		return plain(tap(names.ConvMixed), func(f []float64) *wanted { return e.rows(f, e.b, e.n, len(f)/(e.b*e.n)) })
	case place == names.Node(family.AtMambaIn, "Gemm"), place == names.Node(family.AtMambaOut, "Gemm"):
		return plain(tap(strings.TrimSuffix(place, "/Gemm")), e.flat)
	case place == names.Node(family.AtLightningIn, "Gemm"), place == names.Node(family.AtLightningGate, "Gemm"), place == names.Node(family.AtLightningOut, "Gemm"):
		return plain(tap(strings.TrimSuffix(place, "/Gemm")), e.flat)
	case place == names.Node(family.AtRGLRUIn, "Gemm"), place == names.Node(family.AtRGLRUGate, "Gemm"):
		return plain(tap(strings.TrimSuffix(place, "/Gemm")), e.flat)
	case place == names.Node(names.RGLRUGated, "Mul"):
		return plain(tap(names.RGLRUGated), e.flat)
	case place == names.Node(names.LightningMixed, "Reshape"), place == names.Node(names.LightningGated, "Mul"):
		return plain(tap(place[:strings.LastIndex(place, "/")]), e.flat)
	case place == names.Node(family.AtMamba+"/rows", "Reshape"):
		return plain(tap(names.MambaMixed), e.flat)
	case b.MLP() == nil:
		return nil
	}
	inner, act := tap(family.AtUp), b.MLP().Act
	if b.MLP().Gated {
		inner = tap(family.AtGate)
	}
	inAct := strings.HasPrefix(place, names.Act+"/")
	if inAct && (b.MLP().Clamp != nil || b.MLP().GateScale != 0 || b.MLP().InnerScale != 0) {
		return nil // the reference shows the whole of it alone
	}
	switch {
	case place == names.Node(family.AtGate, "Gemm"), place == names.Node(family.AtUp, "Gemm"), place == names.Node(family.AtDown, "Gemm"):
		return plain(tap(strings.TrimSuffix(place, "/Gemm")), e.flat)
	case place == names.Node(names.GateUp, "Gemm"):
		return e.packed(false, tap(family.AtGate), tap(family.AtUp))
	case place == names.Node(names.GateUp, "Split") && output < 2:
		return plain(tap([]string{family.AtGate, family.AtUp}[output]), e.flat)
	case place == names.Node(names.Act, "Sigmoid"):
		return plain(inner, func(f []float64) *wanted { return e.flat(each(f, sigmoid)) })
	case inAct && act == "xielu" && place != names.Node(names.Act, "Add"):
		return nil // the reference shows the whole of it alone
	case inAct && !b.MLP().Gated, place == names.Node(family.AtMLP, "Mul"):
		return plain(tap(names.Act), e.flat)
	case inAct && activations[act] != nil:
		return plain(inner, func(f []float64) *wanted { return e.flat(each(f, activations[act])) })
	}
	return nil
}

// afterAttention is the stream once attention's output is added: in a parallel
// block, before the MLP's is, which the reference does not pause at.
func (e *expecter) afterAttention(b *family.Block, layer int) *counterpart {
	if !b.Parallel {
		return plain(names.Layer(layer, names.AttnResidual), e.flat)
	}
	if b.ResidualScale != 0 {
		return nil // a scaled branch is not shown by itself
	}
	x, y := e.stream(layer), names.Layer(layer, family.AtO)
	if b.AttnOutNorm != nil {
		y = names.Layer(layer, family.AtAttnOut)
	}
	return &counterpart{[]string{x, y}, func(t map[string][]float64) *wanted {
		sum := append([]float64(nil), t[x]...)
		for i, v := range t[y] {
			sum[i] += v
		}
		return e.flat(sum)
	}}
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
	"silu":  func(x float64) float64 { return x * sigmoid(x) },
	"relu":  func(x float64) float64 { return max(x, 0) },
	"relu2": func(x float64) float64 { return max(x, 0) * max(x, 0) },
	"gelu":  func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
	"gelu_tanh": func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	},
}

// stream is the tap of the residual stream that goes into a layer.
func (e *expecter) stream(layer int) string {
	switch {
	case layer > 0:
		return names.Layer(layer-1, names.Output)
	case e.s.model.EmbedNorm != nil:
		return names.Outside(family.AtEmbedNorm)
	case e.s.model.EmbedShift != nil:
		return names.EmbedShifted
	case e.s.model.EmbedScale != 0:
		return names.EmbedScaled
	}
	return names.Outside(family.AtEmbed)
}

// projection is one of queries, keys and values: what is between the layer's
// input and where they meet.
type projection struct {
	side     names.Side
	heads, d int
	shift    bool
	norm     *family.Norm
	based    bool // heads turn in bases of their own
	after    bool // the norm comes after the rotation
	clip     bool
	scaled   bool
	joined   int // how many numbers of each head all of them share, before the others
}

func projections(a *family.Attention) map[names.Side]projection {
	joined := 0
	if a.Latent != nil {
		joined = a.Latent.Turned
	}
	return map[names.Side]projection{
		names.Q: {names.Q, a.Heads, a.QKDim, false, a.QNorm, a.Generators != nil, a.NormAfter, a.Clip != 0, false, 0},
		names.K: {names.K, a.KVHeads, a.QKDim, a.KShift != nil, a.KNorm, a.Generators != nil, a.NormAfter, a.Clip != 0, false, joined},
		names.V: {names.V, a.KVHeads, a.VDim, a.VShift != nil, a.VNorm, false, false, a.Clip != 0, a.ValueScale != 0, 0},
	}
}

// over tells a norm over all heads together, which comes before they part.
func (p projection) over() bool { return p.norm != nil && p.norm.Size != p.d }

// projected is the place of the heads before they are shifted or normalised.
func (p projection) projected() string {
	if p.scaled {
		return p.side.Scaled()
	}
	if p.clip {
		return p.side.Clipped()
	}
	return p.side.Proj()
}

// unturned is the place of the value that the rotation turns.
func (p projection) unturned() string {
	switch {
	case p.joined > 0:
		return names.KJoined
	case p.norm != nil && !p.after:
		return p.side.Norm()
	case p.shift:
		return p.side.Shifted()
	}
	return p.projected()
}
