package posenc

import "math"

// Band is where a plane's inverse frequency lies against the trained length L
// (arXiv 2410.21216, section 3).
type Band uint8

const (
	// High planes turn more than once over L: θ > 2π/L.
	High Band = iota
	// Activated planes turn between half and once: π/L < θ <= 2π/L.
	Activated
	// TopLow planes turn at most half: θ <= π/L.
	TopLow
)

// String returns the band's name as the tables print it.
func (b Band) String() string {
	switch b {
	case High:
		return "high"
	case Activated:
		return "activated"
	default:
		return "top-low"
	}
}

// BandOf classifies an unscaled inverse frequency (radians per position) for a
// trained length in positions.
func BandOf(invFreq float64, trainedLength int) Band {
	switch turn := invFreq * float64(trainedLength); {
	case turn > 2*math.Pi:
		return High
	case turn > math.Pi:
		return Activated
	default:
		return TopLow
	}
}
