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
		r.InvFreq[p] = -math.Exp(l / scale)
	}
	if err := r.Check(); err != nil {
		return Rotary{}, fmt.Errorf("grape-m: %w", err)
	}
	return r, nil
}

// GrapeMPerHead is GrapeM with one row of logFreq per head (heads × d/2).
func GrapeMPerHead(logFreq Matrix, scale float64, headDim int) (PerHead, error) {
	out := make(PerHead, logFreq.Rows)
	for h := range out {
		r, err := GrapeM(logFreq.Row(h), scale, headDim)
		if err != nil {
			return nil, fmt.Errorf("head %d: %w", h, err)
		}
		out[h] = r
	}
	return out, out.Check()
}

// LogFreq is GrapeM's inverse on one spectrum: scale·ln|θ_p|. A
// position-independent plane has no logarithm and is an error, because the
// official parametrisation cannot hold it.
func LogFreq(invFreq []float64, scale float64) ([]float64, error) {
	out := make([]float64, len(invFreq))
	for p, f := range invFreq {
		if f == 0 {
			return nil, fmt.Errorf("grape-m: plane %d does not turn: exp(log_freq) is never 0; store θ itself", p)
		}
		out[p] = scale * math.Log(math.Abs(f))
	}
	return out, nil
}
