package rope

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/posenc"
)

// Spectrum is what llama.cpp computes from a saying, in float64 from the float32
// numbers that a file holds: for contexts beyond OriginalLength where long is set.
func (s Saying) Spectrum(long bool) (posenc.Spectrum, error) {
	base := posenc.InvFreq(single(s.Base), s.Dim)
	f := s.Freqs
	if f == nil && long {
		f = s.Long
	} else if f == nil {
		f = s.Short
	}
	for p := range base {
		if f != nil {
			base[p] /= float64(f[p])
		}
	}
	out := posenc.Spectrum{InvFreq: base, Gain: single(s.Gain)}
	switch s.Scaling {
	case "linear":
		for p := range base {
			base[p] /= single(s.Factor)
		}
	case "yarn":
		y := posenc.YaRN{Factor: single(s.Factor), TrainedLength: s.OriginalLength, Base: single(s.Base), Dim: s.Dim, BetaFast: 32, BetaSlow: 1, Truncate: true}
		if s.BetaFast != 0 {
			y.BetaFast, y.BetaSlow = single(s.BetaFast), single(s.BetaSlow)
		}
		var err error
		if out.InvFreq, err = y.Apply(base); err != nil {
			return out, err
		}
		out.Gain *= posenc.YaRNGain(y.Factor, 1)
	}
	return out, nil
}

// check holds what llama.cpp computes to what is wanted.
func (s Saying) check(w Wanted) error {
	wanted := []posenc.Spectrum{w.Spectrum, w.Spectrum}
	if w.Long != nil {
		wanted[1] = *w.Long
	}
	for i, want := range wanted {
		got, err := s.Spectrum(i == 1)
		if err != nil {
			return err
		}
		if len(got.InvFreq) != len(want.InvFreq) || math.Abs(got.Gain-want.Gain) > tolerance*want.Gain {
			return fmt.Errorf("internal error: llama.cpp would turn %d planes with factor %v, wanted are %d and %v", len(got.InvFreq), got.Gain, len(want.InvFreq), want.Gain)
		}
		for p, f := range want.InvFreq {
			if want.Removed != nil && want.Removed[p] {
				f = 0
			}
			if off := math.Abs(got.InvFreq[p] - f); off > tolerance*f && !(f == 0 && off < 1e-25) {
				return fmt.Errorf("internal error: llama.cpp would turn plane %d by %v, wanted is %v", p, got.InvFreq[p], f)
			}
		}
	}
	return nil
}

func single(x float64) float64 { return float64(float32(x)) }
