package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// added is what a bias puts into an attention: coordinates in front of each
// query (batch, heads, sequence, n) and each key (batch, key/value heads,
// sequence, n), or a term of the scores (batch, heads, sequence, total).
type added struct {
	query, key []*graph.Value
	score      *graph.Value
}

// bias emits the layer's bias in the form that the options ask for.
func (e *emitter) bias(l *layer) added {
	b := l.attn.Bias
	if b == nil || e.g.Err() != nil {
		return added{}
	}
	defer e.g.Wide()()
	if err := checkBias(l.attn, b); err != nil {
		e.g.Fail(fmt.Errorf("layer %d: %w", l.i, err))
		return added{}
	}
	form := BiasLowered
	if why := notLowered(b); e.opts.Bias == BiasMask {
		form = BiasMask
	} else if why != "" {
		if e.opts.Bias == BiasLowered {
			e.g.Fail(hint.Errorf("layer %d: %w", l.i, unsupported("%s: it has no form as extra coordinates; use "+hint.Bias+" mask or auto", why)))
			return added{}
		}
		form = BiasMask
	}
	if e.biasForm != "" && e.biasForm != form {
		e.biasForm = "lowered and mask"
	} else {
		e.biasForm = form
	}
	if form == BiasMask {
		return added{score: e.maskedBias(l)}
	}
	return e.loweredBias(l)
}

// notLowered says why a bias has no lowered form, or "".
func notLowered(b *family.Bias) string {
	switch b.Kind {
	case family.Path:
		return "every gate of GRAPE-AP reads the query and a key between"
	case family.Kerple:
		return "KERPLE's bias is not linear in the distance"
	}
	if !b.RoundBF16 {
		return ""
	}
	for _, s := range b.Slopes {
		if f, _ := math.Frexp(posenc.BFloat16.Round(s)); math.Abs(f) != 0.5 && f != 0 {
			return fmt.Sprintf("ALiBi rounded to bf16 with a slope of %v, no power of two, is no product of slope and position", s)
		}
	}
	return ""
}

func checkBias(a *family.Attention, b *family.Bias) error {
	perHead := func(what string, n int) error {
		if n == a.Heads {
			return nil
		}
		return fmt.Errorf("bias: %d %s for %d heads", n, what, a.Heads)
	}
	if b.Kind != family.ALiBi && (b.RoundBF16 || b.BeforeScale) {
		return unsupported("a bias rounded to bf16 or added before the scale: that is ALiBi's alone")
	}
	switch b.Kind {
	case family.ALiBi:
		return perHead("slopes", len(b.Slopes))
	case family.Gated:
		if len(b.U)+len(b.V) == 0 {
			return fmt.Errorf("bias: no gate of queries or keys")
		}
		for _, rows := range [][][]float64{b.U, b.V} {
			if len(rows) > 0 && len(rows) != a.Heads {
				return perHead("gates", len(rows))
			}
		}
		return perHead("slopes", len(b.Slopes))
	case family.Forget:
		return perHead("forget gates", int(b.Gate.Weight.Shape[0]))
	case family.Kerple:
		if len(b.R2) != len(b.Slopes) {
			return fmt.Errorf("bias: %d values of r1 and %d of r2", len(b.Slopes), len(b.R2))
		}
		return perHead("values of r1", len(b.Slopes))
	case family.Path:
		if b.P == nil && (b.PDim != tieSize(a, b.Tie) || b.Tie != "q" && b.Tie != "k" && b.Tie != "v") || b.PDim%2 != 0 || b.PDim < 2 {
			return fmt.Errorf("bias: path vectors of %d numbers tied to %q: expected an even number, or q, k or v of head size %d", b.PDim, b.Tie, tieSize(a, b.Tie))
		}
		return perHead("slopes", len(b.Slopes))
	}
	return unsupported("a bias of unknown kind %d", b.Kind)
}

// tieSize is the size of the vectors that path vectors are tied to.
func tieSize(a *family.Attention, tie string) int {
	if tie == "v" {
		return a.VDim
	}
	return a.QKDim
}

// slopes are ALiBi's, as they act on the score.
func slopes(a *family.Attention) []float64 {
	return posenc.ALiBi{Slope: a.Bias.Slopes, Factor: factor(a), BF16: a.Bias.RoundBF16}.Effective()
}

func factor(a *family.Attention) float64 {
	if a.Bias.BeforeScale {
		return a.Scale
	}
	return 1
}

// gate is ω·softplus(w·x/√d) with one w and ω per query head, over unit: for
// queries (batch, heads, sequence, 1), for keys (batch, key/value heads,
// sequence, query heads of each).
func (e *emitter) gate(l *layer, side string, w [][]float64, unit float64) *graph.Value {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/"+side+"_gate"
	groups := a.Heads
	if side == "key" {
		groups = a.KVHeads
	}
	share, d := a.Heads/groups, a.QKDim
	columns := make([]float64, a.Heads*d) // (groups, d, share)
	rates := make([]float64, a.Heads)     // (groups, 1, share)
	for h, row := range w {
		for k, v := range row {
			columns[((h/share)*d+k)*share+h%share] = v / math.Sqrt(float64(d))
		}
		rates[h] = a.Bias.Slopes[h] / unit
	}
	x := l.token[map[string]string{"query": "q", "key": "k"}[side]]()
	z := g.Op("MatMul", prefix+"/MatMul", []*graph.Value{x, e.floats(prefix+"/weight", []int64{1, int64(groups), int64(d), int64(share)}, columns)})
	z = g.Op("Softplus", prefix+"/Softplus", []*graph.Value{z})
	return g.Op("Mul", prefix+"/Mul", []*graph.Value{z, e.floats(prefix+"/omega", []int64{1, int64(groups), 1, int64(share)}, rates)})
}

// logGates are FoX's log σ(w·x + c) over unit, (batch, heads, sequence).
func (e *emitter) logGates(l *layer, unit float64) *graph.Value {
	g, prefix := e.g, l.prefix+"/bias/forget"
	z := e.gateLogits(l, "bias/forget", *l.attn.Bias.Gate, l.attn.Heads)
	z = g.Op("Neg", prefix+"/Neg", []*graph.Value{z})
	z = g.Op("Softplus", prefix+"/Softplus", []*graph.Value{z})
	return g.Op("Mul", prefix+"/Mul", []*graph.Value{z, e.scalar(fmt.Sprintf("over%v", -unit), -1/unit)})
}
