package posenc

import (
	"fmt"
	"math"
)

var grapeMEncoding = Encoding{Name: "grape-m", Title: "GRAPE-M: frequencies per layer and key/value head, as tensors", Paper: "2512.07805",
	Angle: "t θ_{h,p}", Scale: "no"}

// GrapeM returns one head's (or a shared) GRAPE-M rotation on the canonical
// planes (arXiv 2512.07805, section 3): θ_p = exp(logFreq_p / scale), halves
// pairing over the whole head, turning by −θ_p t as the paper does. logFreq has
// headDim/2 numbers, natural logarithms of radians per position times scale;
// the official checkpoints' grape.log_freq with grape_log_freq_scale.
func GrapeM(logFreq []float64, scale float64, headDim int) (Rotary, error) {
	if !(scale > 0) || math.IsInf(scale, 0) {
		return Rotary{}, fmt.Errorf("grape-m: log frequency scale %v: expected a positive number", scale)
	}
	r := Rotary{Spectrum: Spectrum{InvFreq: make([]float64, len(logFreq)), Gain: 1}, HeadDim: headDim, Dim: headDim}
	for p, l := range logFreq {
		theta := math.Exp(l / scale)
		if !(theta <= math.MaxFloat64) {
			return Rotary{}, fmt.Errorf("grape-m: element %d is %v: exp(%v/%v) is no frequency", p, l, l, scale)
		}
		r.InvFreq[p] = -theta
	}
	if err := r.Check(); err != nil {
		return Rotary{}, fmt.Errorf("grape-m: %w", err)
	}
	return r, nil
}
