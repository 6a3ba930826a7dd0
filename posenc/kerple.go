package posenc

import (
	"fmt"
	"math"
)

var kerpleEncoding = Encoding{Name: "kerple", Title: "KERPLE: a power or logarithm of distance", Paper: "2205.09921",
	Angle: "b = −r1_h (i−j)^r2_h, or −r1_h log(1 + r2_h (i−j))", Variants: []string{"power", "log"}, Scale: "no"}

// KERPLE is a kernelised relative bias (arXiv 2205.09921, section 4):
//
//	logarithmic: b_ij = −r1_h log(1 + r2_h (i − j))
//	power:       b_ij = −r1_h (i − j)^r2_h
//
// It reads positions alone. With r2 = 1 the power form is ALiBi.
type KERPLE struct {
	noFeatures
	// R1 holds r1 >= 0 per query head, in score units; 0 is no bias, as one that is
	// yet to be trained starts. R2 holds r2: positive,
	// per position (logarithmic), or an exponent in (0, 2] (power).
	R1, R2 []float64
	// Power chooses the power form.
	Power bool
}

// Check reports parameters outside their range.
func (k KERPLE) Check() error {
	if len(k.R1) == 0 || len(k.R1) != len(k.R2) {
		return fmt.Errorf("kerple: %d values of r1 and %d of r2: expected one of each per head", len(k.R1), len(k.R2))
	}
	for h := range k.R1 {
		r1, r2 := k.R1[h], k.R2[h]
		if !(r1 >= 0) || !(r2 > 0) || math.IsInf(r1, 0) || math.IsInf(r2, 0) || k.Power && r2 > 2 {
			return fmt.Errorf("kerple: head %d has r1 %v and r2 %v: expected r1 of 0 or more, r2 above 0, and an exponent r2 of at most 2 in the power form", h, r1, r2)
		}
	}
	return nil
}

// Heads returns the number of query heads.
func (k KERPLE) Heads() int { return len(k.R1) }

// Add adds the bias to a block of scores.
func (k KERPLE) Add(scores []float64, head int, in BiasInput) {
	in.check(k, scores, head)
	in.visible(func(at, _, _ int, distance int64) {
		if k.Power {
			scores[at] -= k.R1[head] * math.Pow(float64(distance), k.R2[head])
			return
		}
		scores[at] -= k.R1[head] * math.Log1p(k.R2[head]*float64(distance))
	})
}
