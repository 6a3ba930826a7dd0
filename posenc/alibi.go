package posenc

import "fmt"

var alibiEncoding = Encoding{Name: "alibi", Title: "ALiBi: a slope per head", Paper: "2108.12409", Angle: "b = −β_h (i−j)", Scale: "no"}

// ALiBi is b_ij = −Factor·β_h (i − j) (arXiv 2108.12409). It reads positions
// alone.
type ALiBi struct {
	noFeatures
	// Slope holds β_h per query head, in score units per position.
	Slope []float64
	// Factor multiplies the bias: 1, or 1/√d for Falcon, which adds it before
	// the scale.
	Factor float64
	// BF16 rounds each key's term to bfloat16, as Falcon does whatever the
	// model's type: b_ij = Factor·(r(r(β)r(j)) − r(r(β)r(i))). Neighbours far
	// out then share a value, and rewrites of it are exact up to that rounding.
	BF16 bool
}

// NewALiBi returns ALiBi with the given slopes (Slopes or SlopesMPT), added
// after the scale.
func NewALiBi(slopes []float64) ALiBi { return ALiBi{Slope: slopes, Factor: 1} }

// Check reports slopes or a factor that are no numbers.
func (a ALiBi) Check() error {
	if len(a.Slope) == 0 {
		return fmt.Errorf("alibi: no slopes")
	}
	if err := checkFinite("alibi: the slope", a.Slope); err != nil {
		return err
	}
	if a.Factor == 0 {
		return fmt.Errorf("alibi: factor 0 adds nothing: expected 1, or what the slopes are multiplied by")
	}
	return checkFinite("alibi: the factor", []float64{a.Factor})
}

// Heads returns the number of slopes.
func (a ALiBi) Heads() int { return len(a.Slope) }

// Effective returns the slopes per head as they act on the score, Factor
// included, without the rounding of BF16: what rewrites start from.
func (a ALiBi) Effective() []float64 {
	out := scaled(a.Slope, a.Factor)
	if a.BF16 {
		for h, s := range a.Slope {
			out[h] = BFloat16.Round(s) * a.Factor
		}
	}
	return out
}

// term is the key's share of the bias, before Factor.
func (a ALiBi) term(head int, pos int64) float64 {
	if a.BF16 {
		return BFloat16.Round(BFloat16.Round(a.Slope[head]) * BFloat16.Round(float64(pos)))
	}
	return a.Slope[head] * float64(pos)
}

// Add adds the bias to a block of scores.
func (a ALiBi) Add(scores []float64, head int, in BiasInput) {
	in.check(a, scores, head)
	in.visible(func(at, i, j int, distance int64) {
		if a.BF16 {
			scores[at] += a.Factor * (a.term(head, in.Key[j]) - a.term(head, in.Query[i]))
			return
		}
		scores[at] -= a.Factor * a.Slope[head] * float64(distance)
	})
}
