package rope

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Wanted is a rotation to be said.
type Wanted struct {
	// Params are the rope keys of the configuration that declares it, Spectrum what
	// they come to up to the trained length, and Long beyond it where that differs,
	// else nil.
	Params   posenc.RopeParams
	Spectrum posenc.Spectrum
	Long     *posenc.Spectrum
	// TrainLength is the length that the unscaled model was trained on; 0 where that
	// is not to be said.
	TrainLength int
	// Before is the rotation of a file that is said anew, and Has what that file
	// holds of it; nil for a new file. Planes that turn as before keep their factor
	// to the last bit.
	Before, BeforeLong *posenc.Spectrum
	Has                *Held
}

// Held are the tensors of factors in a file; nil is one that is not there.
type Held struct{ Freqs, Long, Short []float32 }

// Saying is how metadata and factors say a rotation.
type Saying struct {
	// Base is rope.freq_base, Dim rope.dimension_count.
	Base float64
	Dim  int
	// Scaling is rope.scaling.type, "" for none; Factor is rope.scaling.factor.
	Scaling string
	Factor  float64
	// OriginalLength is rope.scaling.original_context_length, 0 for none.
	OriginalLength int
	// BetaFast and BetaSlow are YaRN's, 0 for llama.cpp's own 32 and 1.
	BetaFast, BetaSlow float64
	// Gain is rope.scaling.attn_factor, 1 for none.
	Gain float64
	Held
}

// tolerance is how far, relatively, llama.cpp's frequencies may be from the wanted
// ones: what float32 makes of a base and a factor.
const tolerance = 1e-6

// Say finds how an architecture's file says a rotation. What its graph cannot
// compute is an error that wraps posenc.ErrUnsupported and says what can be done.
func Say(row arch.Arch, w Wanted) (Saying, error) {
	a := graph{row}
	s := Saying{Base: w.Params.Theta, Dim: w.Params.RotaryDim(), Gain: 1}
	if s.Dim != w.Params.HeadDim && a.Partial == "" {
		return s, hint.Errorf("a rotary dimension of %d in heads of %d is %w by llama.cpp's architecture %s; "+hint.Layout+" native can, where it takes factors per plane (%s), and %s take a smaller dimension",
			s.Dim, w.Params.HeadDim, posenc.ErrUnsupported, a.Name, with(graph.factored), with(graph.partial))
	}
	plain, why := a.plain(s, w)
	if why == nil {
		s = plain
	} else if err := a.factors(&s, w, why); err != nil {
		return s, err
	}
	return s, s.check(w)
}

// plain says what needs no factors: the types default, linear and yarn.
func (a graph) plain(s Saying, w Wanted) (Saying, error) {
	p := w.Params
	switch {
	case w.Long != nil:
		return s, errors.New("frequencies that change with the length")
	case p.Type == "linear" && p.Factor != 1:
		s.Scaling, s.Factor = "linear", p.Factor
		if p.TrainedLength != p.MaxPositions { // llama.cpp's graph passes over it: the next conversion asks
			s.OriginalLength = p.TrainedLength
		}
	case p.Type == "yarn" && p.Truncate && p.Factor > 1:
		s.Scaling, s.Factor, s.OriginalLength = "yarn", p.Factor, p.TrainedLength
		if p.BetaFast != 32 || p.BetaSlow != 1 {
			s.BetaFast, s.BetaSlow = p.BetaFast, p.BetaSlow
		}
		s.Gain = round(w.Spectrum.Gain / posenc.YaRNGain(p.Factor, 1))
	case p.Type == "default" || p.Type == "linear":
	default:
		return s, fmt.Errorf("frequencies of the rope type %s", p.Type)
	}
	if h := w.Has; h != nil { // what is there is applied: it must say nothing
		s.Freqs, s.Long, s.Short = ones(h.Freqs), ones(h.Long), ones(h.Short)
		if a.longNeedsType() && (h.Long != nil || h.Short != nil) {
			return s, errors.New("a file of the scaling type longrope")
		}
	}
	return s, nil
}

// factors says a spectrum plane by plane.
func (a graph) factors(s *Saying, w Wanted, why error) error {
	if !a.factored() {
		return hint.Errorf("%w: llama.cpp's graph of architecture %s takes no factors per plane, and they are %w; "+hint.Format+" safetensors holds them, and the families that llama.cpp runs as %s can be converted so", why, a.Name, posenc.ErrUnsupported, with(graph.factored))
	}
	short, err := each(s.Base, s.Dim, w.Spectrum, w.Before, w.held(true))
	if err != nil {
		return err
	}
	long := short
	if w.Long != nil || w.BeforeLong != nil {
		spectrum := w.Spectrum
		if w.Long != nil {
			spectrum = *w.Long
		}
		if spectrum.Gain != w.Spectrum.Gain {
			return fmt.Errorf("an attention factor that changes with the length is %w by llama.cpp", posenc.ErrUnsupported)
		}
		if long, err = each(s.Base, s.Dim, spectrum, w.BeforeLong, w.held(false)); err != nil {
			return err
		}
	}
	s.Gain = round(w.Spectrum.Gain)
	held := w.Has != nil && (w.Has.Long != nil || w.Has.Short != nil)
	if a.FreqFactors && !held && slices.Equal(long, short) {
		s.Freqs = short
		if w.TrainLength > 0 && w.TrainLength != w.Params.MaxPositions {
			s.OriginalLength = w.TrainLength // applied by no graph then: for readers
		}
		return nil
	}
	if !a.LongFactors {
		return fmt.Errorf("factors that change with the length are %w by llama.cpp's architecture %s", posenc.ErrUnsupported, a.Name)
	}
	if w.Has != nil && w.Has.Freqs != nil {
		return fmt.Errorf("factors that change with the length beside the file's %s are %w by llama.cpp", arch.FreqTensor, posenc.ErrUnsupported)
	}
	s.Long, s.Short, s.OriginalLength = long, short, w.Params.TrainedLength
	if a.longNeedsType() {
		s.Scaling = "longrope"
	}
	return nil
}

// held are the factors a file applies up to its trained length, or beyond.
func (w Wanted) held(short bool) []float32 {
	switch {
	case w.Has == nil:
		return nil
	case w.Has.Freqs != nil:
		return w.Has.Freqs
	case short:
		return w.Has.Short
	}
	return w.Has.Long
}

// each gives base/θ per plane in float32; a plane that turns as before keeps the
// factor it has.
func each(base float64, dim int, want posenc.Spectrum, before *posenc.Spectrum, has []float32) ([]float32, error) {
	out := make([]float32, len(want.InvFreq))
	for p, plain := range posenc.InvFreq(base, dim) {
		f := want.InvFreq[p]
		switch {
		case before != nil && has != nil && f == before.InvFreq[p]:
			out[p] = has[p]
		case f == 0 || want.Removed != nil && want.Removed[p]:
			out[p] = posenc.DroppedFactor
		case !(f > 0):
			return nil, fmt.Errorf("plane %d turns by %v: factors are positive: %w", p, f, posenc.ErrUnsupported)
		default:
			out[p] = float32(plain / f)
		}
	}
	return out, nil
}

// ones are factors that say nothing, for a tensor that is there.
func ones(has []float32) []float32 {
	if has == nil {
		return nil
	}
	return slices.Repeat([]float32{1}, len(has))
}

// round makes what is 1 up to rounding 1.
func round(x float64) float64 {
	if math.Abs(x-1) < 1e-12 {
		return 1
	}
	return x
}
