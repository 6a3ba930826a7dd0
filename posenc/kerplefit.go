package posenc

import "math"

// fittedR1 is r1 of a fitted logarithm. ALiBi is the limit of r1 → ∞ with r1 r2 = β,
// and the error falls as 1/r1; the more, the less a step of training moves r1. With 16
// the logits of the bundled ALiBi models were off by 6 to 16 % of the largest.
const fittedR1 = 1024

// KERPLEFit is KERPLE's logarithmic form fitted to ALiBi, and how far it is from it.
type KERPLEFit struct {
	KERPLE
	// Weight is the largest |e^b − e^−βn|, the weight of a key n positions back where
	// that of the query's own is 1, over all heads and distances. Bias is the largest
	// |b + βn| over the distances below the length, in score units.
	Weight, Bias float64
}

// FitKERPLE fits −r1 log(1 + r2 n) to −βn with r1 = 1024 and the r2 of each head for
// which Weight is least. The fit knows no length; Bias is measured over length
// positions.
func FitKERPLE(slopes []float64, length int) (KERPLEFit, error) {
	fit := KERPLEFit{KERPLE: KERPLE{R1: make([]float64, len(slopes)), R2: make([]float64, len(slopes))}}
	for h, slope := range slopes {
		if slope == 0 {
			fit.R2[h] = 1
			continue
		}
		// of V-shaped functions of r2, one per distance, the largest has one minimum
		r2, off := leastAt(slope/fittedR1/2, slope/fittedR1*2, func(r2 float64) float64 { return weightError(slope, r2) })
		fit.R1[h], fit.R2[h] = fittedR1, r2
		fit.Weight = max(fit.Weight, off)
		// βn − r1 log(1 + r2 n) is convex: largest at the end, least where it is level
		level := math.Floor(fittedR1/slope - 1/r2)
		for _, n := range []float64{float64(length - 1), level, level + 1} {
			if n = min(n, float64(length-1)); n > 0 {
				fit.Bias = max(fit.Bias, math.Abs(slope*n-fittedR1*math.Log1p(r2*n)))
			}
		}
	}
	return fit, fit.Check()
}

// weightError is the largest difference of the weights; beyond a bias of 40 both are
// nothing. Slow slopes are looked at every hundredth of a unit.
func weightError(slope, r2 float64) float64 {
	worst, step := 0.0, max(1, math.Floor(0.01/slope))
	for n := step; slope*(n-step) < 40; n += step {
		worst = max(worst, math.Abs(math.Exp(-slope*n)-math.Exp(-fittedR1*math.Log1p(r2*n))))
	}
	return worst
}

// leastAt finds the minimum of a function with one in [from, to], by golden section.
func leastAt(from, to float64, f func(float64) float64) (at, value float64) {
	const ratio = 0.6180339887498949
	x1, x2 := to-ratio*(to-from), from+ratio*(to-from)
	f1, f2 := f(x1), f(x2)
	for range 60 {
		if f1 <= f2 {
			to, x2, f2 = x2, x1, f1
			x1 = to - ratio*(to-from)
			f1 = f(x1)
		} else {
			from, x1, f1 = x1, x2, f2
			x2 = from + ratio*(to-from)
			f2 = f(x2)
		}
	}
	if f1 <= f2 {
		return x1, f1
	}
	return x2, f2
}
