package posenc

import (
	"fmt"
	"math"
)

// Slopes returns ALiBi's slopes β_h for n heads as Bloom, Falcon, transformers
// and the official GRAPE models order them (arXiv 2108.12409, section 3): powers
// of 2^(−8/m), m the largest power of two not above n, and for what is left the
// odd powers of 2^(−4/m).
func Slopes(n int) ([]float64, error) {
	if n < 1 {
		return nil, fmt.Errorf("alibi: %d heads: expected at least 1", n)
	}
	m := 1
	for 2*m <= n {
		m *= 2
	}
	s := make([]float64, n)
	for h := range s {
		if h < m {
			s[h] = math.Exp2(-8 * float64(h+1) / float64(m))
		} else {
			s[h] = math.Exp2(-4 * float64(2*(h-m)+1) / float64(m))
		}
	}
	return s, nil
}

// SlopesMPT returns the slopes as MPT orders them: powers of 2^(−biasMax/m), m
// the smallest power of two not below n; where m is not n, the second, fourth,
// … of the m first, then the first, third, …. biasMax is alibi_bias_max, 8 by
// default.
func SlopesMPT(n int, biasMax float64) ([]float64, error) {
	if n < 1 || !(biasMax > 0) || math.IsInf(biasMax, 0) {
		return nil, fmt.Errorf("alibi: %d heads with alibi_bias_max %v: expected at least 1 and a positive number", n, biasMax)
	}
	m := 1
	for m < n {
		m *= 2
	}
	s := make([]float64, n)
	for h := range s {
		k := h + 1
		if m != n {
			if k = 2 * (h + 1); h >= m/2 {
				k = 2*(h-m/2) + 1
			}
		}
		s[h] = math.Exp2(-biasMax * float64(k) / float64(m))
	}
	return s, nil
}
