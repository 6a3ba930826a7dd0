package posenc

import (
	"fmt"
	"math"
)

// YaRN holds the parameters of arXiv 2309.00071, section 3.2 and 3.4.
type YaRN struct {
	// Factor is the scaling factor s.
	Factor float64
	// TrainedLength is L, in positions.
	TrainedLength int
	// Base and Dim give the spectrum the ramp is placed on: θ_p = Base^(−2p/Dim).
	Base float64
	Dim  int
	// BetaFast and BetaSlow are the rotations over L at the ramp's ends; the
	// paper's are 32 and 1.
	BetaFast, BetaSlow float64
	// Truncate floors and ceils the ramp's ends to whole planes, as
	// transformers does unless the configuration says "truncate": false.
	Truncate bool
}

// Apply returns θ'_p = θ_p (1 − γ_p)/s + θ_p γ_p with the ramp γ falling from
// 1 (planes that turn more than BetaFast times over L) to 0 (fewer than
// BetaSlow times).
func (y YaRN) Apply(invFreq []float64) ([]float64, error) {
	switch {
	case !(y.Factor > 0):
		return nil, fmt.Errorf("factor %v: expected a positive number", y.Factor)
	case y.TrainedLength <= 0:
		return nil, fmt.Errorf("trained length %d: expected a positive number", y.TrainedLength)
	case !(y.BetaFast > 0) || !(y.BetaSlow > 0):
		return nil, fmt.Errorf("beta_fast %v and beta_slow %v: expected positive numbers", y.BetaFast, y.BetaSlow)
	case y.Base <= 1:
		return nil, fmt.Errorf("base %v: the ramp needs a base above 1", y.Base)
	}
	low, high := y.plane(y.BetaFast), y.plane(y.BetaSlow)
	if y.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(y.Dim-1))
	if low == high {
		high += 0.001
	}
	out := make([]float64, len(invFreq))
	for p, f := range invFreq {
		ramp := min(max((float64(p)-low)/(high-low), 0), 1)
		out[p] = f/y.Factor*ramp + f*(1-ramp)
	}
	return out, nil
}

// plane returns the (fractional) plane that makes the given number of
// rotations over the trained length.
func (y YaRN) plane(rotations float64) float64 {
	return float64(y.Dim) * math.Log(float64(y.TrainedLength)/(rotations*2*math.Pi)) / (2 * math.Log(y.Base))
}

// YaRNGain returns the attention factor 0.1 m ln s + 1 (1 for s <= 1) of
// arXiv 2309.00071, section 3.4; m is 1 in the paper.
func YaRNGain(s, m float64) float64 {
	if s <= 1 {
		return 1
	}
	return 0.1*m*math.Log(s) + 1
}

// ScoreFactor is what latent attention (MLA, arXiv 2405.04434) multiplies all its
// scores by beside the rotation: (0.1 m ln s + 1)² with s = Factor and m =
// MScaleAllDim, for any type but "default"; 1 where m is 0 or s is not over 1.
func (p RopeParams) ScoreFactor() float64 {
	if p.Type == "default" || p.MScaleAllDim == 0 {
		return 1
	}
	f := YaRNGain(p.Factor, p.MScaleAllDim)
	return f * f
}

func yarnSpectrum(p RopeParams, _ int) (Spectrum, error) {
	factor := p.Factor
	if factor == 0 && p.TrainedLength > 0 {
		factor = float64(p.MaxPositions) / float64(p.TrainedLength)
	}
	y := YaRN{Factor: factor, TrainedLength: p.TrainedLength, Base: p.Theta, Dim: p.RotaryDim(),
		BetaFast: p.BetaFast, BetaSlow: p.BetaSlow, Truncate: p.Truncate}
	inv, err := y.Apply(p.Base())
	if err != nil {
		return Spectrum{}, err
	}
	gain := YaRNGain(factor, 1)
	if p.MScale != 0 && p.MScaleAllDim != 0 {
		gain = YaRNGain(factor, p.MScale) / YaRNGain(factor, p.MScaleAllDim)
	}
	if p.AttentionFactor != nil {
		gain = *p.AttentionFactor
	}
	return Spectrum{InvFreq: inv, Gain: gain}, nil
}
