package posenc

// NoPE returns the source's spectrum with every plane position independent
// (arXiv 2305.19466): order reaches the model through the causal mask alone.
// The attention factor is 1.
func NoPE(planes int) Spectrum {
	return Spectrum{InvFreq: make([]float64, planes), Gain: 1}
}
