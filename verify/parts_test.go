package verify

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/conversion"
	"github.com/pecvt/pecvt/verify/report"
)

// shaped are layers that no bundled model has, of the golden model's tensors.
var shaped = map[string]func(b *family.Block){
	"norms on the branches' outputs alone": func(b *family.Block) {
		b.AttnOutNorm, b.MLPOutNorm, b.AttnNorm, b.MLPNorm = b.AttnNorm, b.MLPNorm, nil, nil
	},
	"norms before and after": func(b *family.Block) {
		b.AttnOutNorm, b.MLPOutNorm = b.MLPNorm, b.AttnNorm
	},
	"side by side, norms after": func(b *family.Block) {
		b.Parallel, b.AttnOutNorm, b.MLPOutNorm = true, b.MLPNorm, b.AttnNorm
	},
	"norms over all heads": func(b *family.Block) {
		a := b.Attn()
		q, k := *b.AttnNorm, *b.MLPNorm
		q.Size, k.Size = a.Heads*a.QKDim, a.KVHeads*a.QKDim
		k.Weight.Shape, k.Weight.Rows = []int64{int64(k.Size)}, []family.Range{{Begin: 8, End: 8 + int64(k.Size)}}
		a.QNorm, a.KNorm = &q, &k
	},
	"queries scaled by position": func(b *family.Block) {
		b.Attn().QueryScale = &family.QueryScale{Beta: 0.3, Length: 5, Ahead: 1}
	},
	"sinks, clamped gates": func(b *family.Block) {
		n := b.AttnNorm.Weight
		n.Shape, n.Rows = []int64{int64(b.Attn().Heads)}, []family.Range{{Begin: 8, End: 8 + int64(b.Attn().Heads)}}
		b.Attn().Sinks, b.MLP().Clamp = &n, &family.Clamp{Limit: 0.5, Alpha: 1.702, Offset: 1}
	},
	"norms of values, layers times a number": func(b *family.Block) {
		a, n := b.Attn(), b.MLPNorm.Weight
		a.VNorm = &family.Norm{Kind: family.RMS, Size: a.VDim, Eps: 1e-6}
		n.Shape, n.Rows = []int64{1}, []family.Range{{Begin: 5, End: 6}}
		b.Scalar = &n
	},
	"values of the keys' projection": func(b *family.Block) { b.Attn().V = b.Attn().K },
	"a gate on attention's output": func(b *family.Block) {
		a := b.Attn()
		a.OutGate = &family.OutputGate{Linear: rowsOf(b.MLP().Up.Weight, 3, a.Heads*a.VDim), Act: "sigmoid"}
	},
	"a gate with a bias of each head": func(b *family.Block) {
		a := b.Attn()
		bias := b.AttnNorm.Weight
		bias.Shape, bias.Rows = []int64{int64(a.Heads)}, []family.Range{{Begin: 7, End: 7 + int64(a.Heads)}}
		a.OutGate = &family.OutputGate{Linear: rowsOf(b.MLP().Gate.Weight, 0, a.Heads*a.VDim), HeadBias: &bias, Act: "sigmoid"}
	},
	"a gate of each head": func(b *family.Block) {
		a := b.Attn()
		a.OutGate = &family.OutputGate{Linear: rowsOf(b.MLP().Up.Weight, 9, a.Heads), Act: "softplus"}
	},
	"a mixture beside the MLP": func(b *family.Block) {
		m, n := b.MLP(), b.MLPNorm
		x := &family.Experts{Router: family.Router{Linear: rowsOf(m.Up.Weight, 2, 3), Norm: n, InScale: 0.7, Score: "softmax", TopK: 2, Normalise: true, Scale: 1}}
		for e := range int64(3) {
			inner := family.MLP{Act: "gelu_tanh", Gated: true, Gate: rowsOf(m.Gate.Weight, 9*int(e), 8), Up: rowsOf(m.Up.Weight, 7*int(e), 8)}
			down := m.Down.Weight
			down.Shape, down.Columns = []int64{down.Shape[0], 8}, &family.Columns{Begin: 11 * e, Step: 1, Count: 8}
			inner.Down.Weight = down
			x.Each = append(x.Each, inner)
		}
		each := n.Weight
		each.Shape, each.Rows = []int64{3}, []family.Range{{Begin: 4, End: 7}}
		x.Router.Each = &each
		b.Side = &family.SideExperts{FeedNorm: *n, InNorm: *b.AttnNorm, OutNorm: *n, Experts: x}
	},
	"attention within chunks": func(b *family.Block) { b.Attn().Chunk = 7 },
	"an MLP with factors":     func(b *family.Block) { b.MLP().GateScale, b.MLP().InnerScale = 0.6, 1.7 },
	"values of their own size": func(b *family.Block) { // 4 heads of 24 fill the MLP's 96 columns
		a, m := b.Attn(), b.MLP()
		a.VDim = int(m.Down.Weight.Shape[1]) / a.Heads
		a.V, a.O = rowsOf(a.Q.Weight, 5, a.KVHeads*a.VDim), m.Down
	},
}

// unfused are those of them that GroupQueryAttention cannot hold, and what it says.
var unfused = map[string]string{
	"values of their own size": "values of another size",
	"attention within chunks":  "attention within chunks",
}

// TestShapedLayers: what a layer may be, in both forms of attention, by all
// runners and checks, and value by value.
func TestShapedLayers(t *testing.T) {
	for name, set := range shaped {
		for _, form := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
			t.Run(name+"/"+form, func(t *testing.T) {
				t.Parallel()
				if why := unfused[name]; why != "" && form == onnxops.AttentionORT {
					refused(t, set, why)
					return
				}
				s := newOf(t, set, onnxops.Options{Attention: form})
				s.opts.Bisect = true
				s.tables()
				s.attributes()
				if err := s.makeAll(ofRunners); err != nil {
					t.Fatal(err)
				}
				for _, c := range s.report.Checks {
					if c.Verdict == report.Fail || c.Verdict == report.Incomplete {
						t.Errorf("%s of %s is %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
				if err := s.bisect(); err != nil {
					t.Fatal(err)
				}
				if b := s.report.Bisect; !strings.HasPrefix(b.Summary, "nothing leaves the budget") || len(b.Stages) < 4 {
					t.Errorf("bisection: %s, %d stages", b.Summary, len(b.Stages))
				}
			})
		}
	}
}

// refused requires that GroupQueryAttention is not given what it cannot hold.
func refused(t *testing.T, set func(b *family.Block), why string) {
	m, ckpt := qwen3(t, t.TempDir())
	set(&m.Blocks[1])
	_, err := onnxops.Export(m, ckpt, onnxops.Options{Attention: onnxops.AttentionORT})
	if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), why) {
		t.Errorf("error %v", err)
	}
}

// TestInventedParts: no check judges a graph without a part that it does not know,
// and the bisection accuses no node of it.
func TestInventedParts(t *testing.T) {
	for _, form := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
		s := newOf(t, func(*family.Block) {}, onnxops.Options{Attention: form})
		s.opts.Bisect = true
		for _, c := range familytest.Invented(s.model) {
			s.model, s.loaded, s.source = c.Model, c.Model, c.Model
			s.report.Checks = nil
			s.windows() // layers without attention have none, and do not turn
			if err := s.lengthDependence(); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			s.attributes()
			if a := s.report.Checks[0]; a.Verdict != report.Incomplete {
				t.Errorf("%s: attributes are %s", c.Name, a.Verdict)
			}
			c.Names(t, "attributes", s.report.Checks[0].Detail)
			c.Refused(t, "rewrite", conversion.UnknownParts(s.source, s.loaded))
			if err := s.bisect(); err != nil {
				t.Fatal(err)
			}
			c.Names(t, "bisect", s.report.Bisect.Summary)
			if s.report.Bisect.Node != nil {
				t.Errorf("%s: the bisection accuses %s", c.Name, s.report.Bisect.Node.Name)
			}
		}
	}
}

// TestTurnedByMistake: a rotation that stands in a layer which does not turn has
// an attribute that is not the model's.
func TestTurnedByMistake(t *testing.T) {
	s := newOf(t, func(*family.Block) {}, onnxops.Options{})
	s.model.Blocks[1].Attn().Rotary.Dim = 0
	s.attributes()
	if c := s.report.Checks[len(s.report.Checks)-1]; c.Verdict != report.Fail || !strings.Contains(c.Detail, "/layers.1/attn/q/Rotation has rotary_embedding_dim") && !strings.Contains(c.Detail, "/layers.1/attn/k/Rotation has rotary_embedding_dim") {
		t.Errorf("%s: %s", c.Verdict, c.Detail)
	}
}
