package posenc

import (
	"fmt"
	"math"
)

// llama3Spectrum is Llama 3.1's frequency scaling: wavelengths above L/low are
// divided by the factor, those under L/high stay, those between are blended by
// (L/λ − low)/(high − low); where low is high, as Llama 4 has it, there is no between.
// With a factor of DroppedFactor the slow planes stand
// still, and where no wavelength lies between the two borders, the others turn as
// plain RoPE's: a step in wavelength, which is what HoPE is.
func llama3Spectrum(p RopeParams, _ int) (Spectrum, error) {
	length := float64(p.TrainedLength)
	switch {
	case !(p.Factor > 0):
		return Spectrum{}, fmt.Errorf("factor %v: expected a positive number", p.Factor)
	case p.TrainedLength <= 0:
		return Spectrum{}, fmt.Errorf("original_max_position_embeddings %d: expected a positive number", p.TrainedLength)
	case !(p.LowFreqFactor > 0) || !(p.HighFreqFactor >= p.LowFreqFactor):
		return Spectrum{}, fmt.Errorf("low_freq_factor %v and high_freq_factor %v: expected 0 < low <= high", p.LowFreqFactor, p.HighFreqFactor)
	}
	inv := p.Base()
	for i, f := range inv {
		wavelength := 2 * math.Pi / f
		switch {
		case wavelength < length/p.HighFreqFactor:
		case wavelength > length/p.LowFreqFactor:
			inv[i] = droppedToZero(f / p.Factor)
		case p.HighFreqFactor == p.LowFreqFactor: // 0/0 in stock loaders
			return Spectrum{}, fmt.Errorf("plane %d has the wavelength L/low (%v), at which low_freq_factor and high_freq_factor %v say nothing: %w", i, wavelength, p.LowFreqFactor, ErrUnsupported)
		default:
			smooth := (length/wavelength - p.LowFreqFactor) / (p.HighFreqFactor - p.LowFreqFactor)
			inv[i] = (1-smooth)*f/p.Factor + smooth*f
		}
	}
	return Spectrum{InvFreq: inv, Gain: 1}, nil
}
