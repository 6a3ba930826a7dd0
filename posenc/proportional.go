package posenc

import "fmt"

// ProportionalPlanes returns how many planes the type "proportional" keeps for
// a partial_rotary_factor: int(factor · d // 2), as transformers computes it
// in floating point.
func ProportionalPlanes(partial float64, headDim int) int {
	product := partial * float64(headDim)
	return int(floorDiv(product, 2))
}

// floorDiv is Python's float floor division for a positive divisor.
func floorDiv(a, b float64) float64 {
	q := a / b
	f := float64(int64(q))
	if f > q {
		f--
	}
	return f
}

// proportionalSpectrum is p-RoPE (arXiv 2410.06205): the first planes turn as
// RoPE's full-width spectrum says, the rest are position independent; all are
// divided by the factor where one is declared.
func proportionalSpectrum(p RopeParams, _ int) (Spectrum, error) {
	factor := p.Factor
	if factor == 0 {
		factor = 1
	}
	if !(factor > 0) {
		return Spectrum{}, fmt.Errorf("factor %v: expected a positive number", p.Factor)
	}
	inv := p.Base()
	kept := ProportionalPlanes(p.Share(), p.HeadDim)
	for i := range inv {
		inv[i] /= factor
		if i >= kept {
			inv[i] = 0
		}
	}
	return Spectrum{InvFreq: inv, Gain: 1}, nil
}
