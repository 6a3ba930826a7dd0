package posenc

import (
	"fmt"
	"math"
)

// dynamicSpectrum is dynamic NTK scaling as transformers runs it: up to
// MaxPositions the plain spectrum; for a longer sequence of n positions the
// base grows to Theta·(s n/L − (s − 1))^(r/(r−2)).
func dynamicSpectrum(p RopeParams, length int) (Spectrum, error) {
	if !(p.Factor > 0) {
		return Spectrum{}, fmt.Errorf("factor %v: expected a positive number", p.Factor)
	}
	if p.MaxPositions <= 0 {
		return Spectrum{}, fmt.Errorf("max_position_embeddings %d: expected a positive number", p.MaxPositions)
	}
	if length <= p.MaxPositions {
		return defaultSpectrum(p, length)
	}
	r := float64(p.RotaryDim())
	if r <= 2 {
		return Spectrum{}, fmt.Errorf("rotary dimension %v: dynamic scaling needs more than one plane", r)
	}
	grown := p.Factor*float64(length)/float64(p.MaxPositions) - (p.Factor - 1)
	return Spectrum{InvFreq: InvFreq(p.Theta*math.Pow(grown, r/(r-2)), p.RotaryDim()), Gain: 1}, nil
}
