package posenc

import "fmt"

// PI returns the spectrum of position interpolation (arXiv 2306.15595): every
// inverse frequency divided by the factor s >= 1.
func PI(invFreq []float64, s float64) []float64 {
	out := make([]float64, len(invFreq))
	for p, f := range invFreq {
		out[p] = f / s
	}
	return out
}

func linearSpectrum(p RopeParams, _ int) (Spectrum, error) {
	if !(p.Factor > 0) {
		return Spectrum{}, fmt.Errorf("factor %v: expected a positive number", p.Factor)
	}
	return Spectrum{InvFreq: PI(p.Base(), p.Factor), Gain: 1}, nil
}
