package retrofit

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// known are the parts of a model, beyond llama's, whose scores are computed here,
// or that the source's own forward pass computes alone. What depends on the
// tokens is refused by turnOf, which says more.
var known = []family.Feature{
	family.LayerNorms,
	family.UngatedMLP,
	family.ParallelBlocks,
	family.EmbeddingNorm,
	family.UnrotatedLayers,
	family.PlainBranchInput,
	family.BranchOutputNorms,
	family.NormOverHeads,
	family.ValuesOfOtherSize,
	family.OutputHeadNorm,
	family.SpectraPerHead,
	family.SpectraPerLayer,
	family.NormAfterRotation,
	family.ContextualPhase,
	family.ShiftedKV,
	family.BiasALiBi,
	family.BiasRounded,
	family.BiasGated,
	family.BiasForget,
	family.BiasPath,
	family.BiasKernel,
	family.EmbeddingScale,
	family.ScaledBranches,
	family.ScaledLogits,
	family.CappedLogits,
	family.OffsetNorms,
	family.BareNorms,
	family.InterleavedPairs,
	family.MixedExperts,
	family.LearnedActivation,
	family.NormBeforeDown,
	family.JointOutputNorm,
	family.GatedOutput,
	family.AttentionSinks,
	family.CappedScores,
	family.ClippedHeads,
	family.ScaledQueries,
	family.ClampedGates,
	family.ScaledValues,
	family.NormedValues,
	family.ScaledLayers,
	family.EmbeddingsByLayer,
	family.ExpertsBeside,
	family.NormedRouters,
	family.ScaledExperts,
}

// Turns returns how each layer of a model places positions. It refuses, with
// an error that wraps posenc.ErrUnsupported, what depends on the tokens and what
// it does not know.
// A layer without rotation has no planes.
func Turns(m *family.Model) ([]Turn, error) {
	if err := m.Beyond(known...); err != nil {
		return nil, fmt.Errorf("select and calibrate: %w", err)
	}
	list := make([]Turn, len(m.Blocks))
	for i := range m.Blocks {
		t, err := turnOf(m.Blocks[i].Attn())
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		list[i] = t
	}
	return list, nil
}

func turnOf(a *family.Attention) (Turn, error) {
	t := Turn{Gain: a.Rotary.Gain, Removed: a.Rotary.Removed, QueryScale: a.QueryScale}
	refuse := func(what string) (Turn, error) {
		return t, fmt.Errorf("%s: select and calibrate are %w there", what, posenc.ErrUnsupported)
	}
	switch {
	case a.Phase != nil:
		return refuse("phases that tokens decide")
	case a.KShift != nil:
		return refuse("keys mixed with the ones before them")
	case a.NormAfter && (a.QNorm != nil || a.KNorm != nil):
		return refuse("norms of queries and keys after the rotation")
	}
	for g := range a.KVHeads {
		row := a.Rotary.InvFreq
		if a.Spectra != nil {
			row = a.Spectra.InvFreq[g]
		}
		t.InvFreq = append(t.InvFreq, append([]float64{}, row...))
	}
	if b := a.Bias; b != nil {
		switch {
		case b.Kind == family.ALiBi && !b.RoundBF16 && !b.BeforeScale:
			t.Slopes = append([]float64{}, b.Slopes...)
		case b.Slopes != nil && allZero(b.Slopes): // adds nothing
		default:
			return refuse("a bias other than plain slopes")
		}
	}
	return t, nil
}

func allZero(list []float64) bool {
	for _, v := range list {
		if v != 0 {
			return false
		}
	}
	return true
}

// With returns the turns of a model in which every layer that turns has one
// spectrum. Slopes, where not nil, are the bias of every layer, per query head.
func With(turns []Turn, s posenc.Spectrum, slopes []float64) ([]Turn, error) {
	out := make([]Turn, len(turns))
	for i, t := range turns {
		u := Turn{Gain: t.Gain, Slopes: t.Slopes, Removed: t.Removed, QueryScale: t.QueryScale}
		if slopes != nil {
			u.Slopes = slopes
		}
		for _, row := range t.InvFreq {
			if len(row) == 0 {
				u.InvFreq = append(u.InvFreq, row)
				continue
			}
			if len(row) != len(s.InvFreq) {
				return nil, fmt.Errorf("layer %d has %d planes, the spectrum %d", i, len(row), len(s.InvFreq))
			}
			u.Gain, u.Removed = s.Gain, s.Removed
			u.InvFreq = append(u.InvFreq, s.InvFreq)
		}
		out[i] = u
	}
	return out, nil
}

// shapeOf reads the shape of layer i's scores and the weights of its norms.
func shapeOf(m *family.Model, src family.Source, i int) (*Shape, error) {
	a := m.Blocks[i].Attn()
	s := &Shape{Hidden: m.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadDim: a.QKDim, RotaryDim: a.Rotary.Dim,
		Pairing: a.Rotary.Pairing, Scale: a.Scale, Window: a.Window, Clip: a.Clip, Cap: a.Cap}
	if a.Sinks != nil {
		var err error
		if s.Sinks, err = a.Sinks.Float64(src); err != nil {
			return nil, err
		}
	}
	for _, n := range []struct {
		from  *family.Norm
		to    **HeadNorm
		heads int
	}{{a.QNorm, &s.QNorm, a.Heads}, {a.KNorm, &s.KNorm, a.KVHeads}} {
		if n.from == nil {
			continue
		}
		if n.from.Kind != family.RMS || n.from.Bias != nil || n.from.Offset != 0 || n.from.Weight.Tensor == "" {
			return nil, fmt.Errorf("layer %d: a norm of queries or keys that is no RMS norm with its weight as stored: %w", i, posenc.ErrUnsupported)
		}
		if n.from.Size != a.QKDim && n.from.Size != n.heads*a.QKDim {
			return nil, fmt.Errorf("layer %d: a norm of %d numbers over %d heads of %d: %w", i, n.from.Size, n.heads, a.QKDim, posenc.ErrUnsupported)
		}
		w, err := n.from.Weight.Float64(src)
		if err != nil {
			return nil, err
		}
		*n.to = &HeadNorm{Weight: w, Eps: n.from.Eps}
	}
	return s, nil
}

// weightsOf decodes W_q, W_k and their biases.
func weightsOf(m *family.Model, src family.Source, i int) (*Weights[float32], error) {
	a := m.Blocks[i].Attn()
	w := &Weights[float32]{}
	for _, part := range []struct {
		to   *[]float32
		from *family.Weight
	}{{&w.Q, &a.Q.Weight}, {&w.K, &a.K.Weight}, {&w.QBias, a.Q.Bias}, {&w.KBias, a.K.Bias}} {
		if part.from == nil {
			continue
		}
		var err error
		if *part.to, err = part.from.Float32(src); err != nil {
			return nil, err
		}
	}
	return w, nil
}
