package posenc

import (
	"fmt"
	"math"
	"slices"
)

// RopeParams is a rotary encoding as a checkpoint's configuration declares it.
// Which fields a rope type reads is in its row of the table (RopeTypes).
type RopeParams struct {
	// Type is the rope type: "default", "linear", "yarn", …
	Type string
	// Theta is the base of θ_p = Theta^(−2p/r).
	Theta float64
	// HeadDim is the head size d, Partial the share of it that is rotary: 0 is
	// all of it, as without the key, NoPlanes a declared 0.
	HeadDim int
	Partial float64
	// Factor is the scaling factor s.
	Factor float64
	// TrainedLength is the length the unscaled model was trained on
	// (original_max_position_embeddings), MaxPositions the configuration's
	// max_position_embeddings.
	TrainedLength, MaxPositions int
	// AttentionFactor, where declared, overrides the type's own.
	AttentionFactor *float64
	// BetaFast, BetaSlow, MScale, MScaleAllDim and Truncate belong to YaRN.
	BetaFast, BetaSlow, MScale, MScaleAllDim float64
	Truncate                                 bool
	// LowFreqFactor and HighFreqFactor belong to llama3.
	LowFreqFactor, HighFreqFactor float64
	// ShortFactor and LongFactor belong to longrope: one number per plane.
	ShortFactor, LongFactor []float64
}

// NoPlanes is the RopeParams.Partial of a configuration that declares the share
// 0: no plane turns.
const NoPlanes = -1

// ByLength reports whether the spectrum depends on the sequence's length: as of the type,
// but for longrope whose factors are the same for short sequences and long ones.
func (p RopeParams) ByLength() (bool, error) {
	row, err := FindRopeType(p.Type)
	if err != nil {
		return false, err
	}
	return row.ByLength && (p.Type != "longrope" || !slices.Equal(p.ShortFactor, p.LongFactor)), nil
}

// Share returns the rotary share of the head, from 0 to 1, as a configuration
// declares it.
func (p RopeParams) Share() float64 {
	switch p.Partial {
	case 0:
		return 1
	case NoPlanes:
		return 0
	}
	return p.Partial
}

// SetShare sets Partial to a share from 0 to 1 as a configuration declares it.
func (p *RopeParams) SetShare(x float64) {
	if p.Partial = x; x == 0 {
		p.Partial = NoPlanes
	}
}

// RotaryDim returns r = int(HeadDim · share), as transformers rounds it.
// The type "proportional" always spans the whole head.
func (p RopeParams) RotaryDim() int {
	if p.Type == "proportional" {
		return p.HeadDim
	}
	return int(float64(p.HeadDim) * p.Share())
}

// Base returns the unscaled inverse frequencies θ_p = Theta^(−2p/r) that the
// declared type starts from. For "proportional" that is the plain full-width
// spectrum, without the planes it drops.
func (p RopeParams) Base() []float64 { return InvFreq(p.Theta, p.RotaryDim()) }

// Plain reports whether the planes that turn do so as plain RoPE's: the declared
// encoding is RoPE with planes that stand still, at the most, and no scaling. Its
// TrainedLength then says nothing of the length the model was trained on.
func (p RopeParams) Plain() bool {
	switch p.Type {
	case "default":
		return true
	case "proportional":
		return p.Factor == 0 || p.Factor == 1
	case "llama3":
		if !(p.Factor >= DroppedFactor) {
			return false
		}
		s, err := p.Spectrum(1)
		if err != nil {
			return false
		}
		for i, f := range p.Base() {
			if s.InvFreq[i] != f && s.InvFreq[i] != 0 {
				return false
			}
		}
		return true
	}
	return false
}

// Spectrum returns the planes of the declared type for sequences of up to
// length positions (only "dynamic" and "longrope" depend on it). Formulas are
// those of transformers' modeling_rope_utils.
func (p RopeParams) Spectrum(length int) (Spectrum, error) {
	row, err := FindRopeType(p.Type)
	if err != nil {
		return Spectrum{}, err
	}
	if p.HeadDim <= 0 || p.HeadDim%2 != 0 {
		return Spectrum{}, fmt.Errorf("head size %d: a rotary encoding needs an even one", p.HeadDim)
	}
	if !(p.Theta > 0) || math.IsInf(p.Theta, 0) {
		return Spectrum{}, fmt.Errorf("rope_theta %v: expected a positive number", p.Theta)
	}
	if share := p.Share(); !(share >= 0 && share <= 1) {
		return Spectrum{}, fmt.Errorf("partial_rotary_factor %v: expected a number from 0 to 1", share)
	}
	if r := p.RotaryDim(); r%2 != 0 {
		return Spectrum{}, fmt.Errorf("partial_rotary_factor %v of head size %d makes %d rotary coordinates: expected an even number", p.Share(), p.HeadDim, r)
	}
	s, err := row.Spectrum(p, length)
	if err != nil {
		return Spectrum{}, fmt.Errorf("rope type %q: %w", p.Type, err)
	}
	if err := CheckGain(s.Gain); err != nil {
		return Spectrum{}, fmt.Errorf("rope type %q: %w", p.Type, err)
	}
	for i, f := range s.InvFreq {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Spectrum{}, fmt.Errorf("rope type %q: plane %d has inverse frequency %v: check the factors", p.Type, i, f)
		}
	}
	return s, nil
}

// MaxGain bounds attention factors from above, 1/MaxGain from below: scores
// carry the factor's square, which float16 and float32 must hold.
const MaxGain = 100

// CheckGain judges an attention factor.
func CheckGain(gain float64) error {
	if !(gain >= 1.0/MaxGain && gain <= MaxGain) {
		return fmt.Errorf("attention_factor %v: expected a number from %v to %v", gain, 1.0/MaxGain, MaxGain)
	}
	return nil
}

// InvFreq returns RoPE's inverse frequencies θ_p = base^(−2p/dim) for the
// dim/2 planes of a rotary dimension (arXiv 2104.09864, section 3.2.2).
func InvFreq(base float64, dim int) []float64 {
	f := make([]float64, dim/2)
	for p := range f {
		f[p] = math.Pow(base, -2*float64(p)/float64(dim))
	}
	return f
}

func defaultSpectrum(p RopeParams, _ int) (Spectrum, error) {
	return Spectrum{InvFreq: p.Base(), Gain: 1}, nil
}
