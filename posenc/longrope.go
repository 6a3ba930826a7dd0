package posenc

import (
	"fmt"
	"math"
)

// longropeSpectrum is LongRoPE (arXiv 2402.13753): θ_p / factor_p, with the
// short factors up to the trained length and the long ones beyond it. A run
// that crosses that border meets keys turned by the other table; pecvt fixes
// one of the two per graph.
func longropeSpectrum(p RopeParams, length int) (Spectrum, error) {
	if p.TrainedLength <= 0 {
		return Spectrum{}, fmt.Errorf("original_max_position_embeddings %d: expected a positive number", p.TrainedLength)
	}
	inv := p.Base()
	factors, key := p.ShortFactor, "short_factor"
	if length > p.TrainedLength {
		factors, key = p.LongFactor, "long_factor"
	}
	if len(factors) != len(inv) {
		return Spectrum{}, fmt.Errorf("%s has %d numbers: expected one for each of the %d planes", key, len(factors), len(inv))
	}
	for i, f := range factors {
		if !(f > 0) {
			return Spectrum{}, fmt.Errorf("%s[%d] is %v: expected a positive number", key, i, f)
		}
		inv[i] = droppedToZero(inv[i] / f)
	}
	return Spectrum{InvFreq: inv, Gain: longropeGain(p)}, nil
}

// DroppedFactor is the factor of longrope and of llama3 that spells a
// position-independent plane: θ/1e30 turns less than 1e-20 radians over any
// length, which is 0 in every floating-point table, and is still a normal number
// of float32 for every base up to 1e8.
const DroppedFactor = 1e30

// droppedToZero reads a frequency that DroppedFactor made as the 0 it stands
// for.
func droppedToZero(f float64) float64 {
	if math.Abs(f) < 1e-20 {
		return 0
	}
	return f
}

// longropeGain is the declared attention factor, or √(1 + ln s / ln L).
func longropeGain(p RopeParams) float64 {
	if p.AttentionFactor != nil {
		return *p.AttentionFactor
	}
	s := p.Factor
	if s == 0 && p.TrainedLength > 0 {
		s = float64(p.MaxPositions) / float64(p.TrainedLength)
	}
	if s <= 1 {
		return 1
	}
	return math.Sqrt(1 + math.Log(s)/math.Log(float64(p.TrainedLength)))
}
