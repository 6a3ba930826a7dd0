package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// maxSlope bounds a slope, in score units per position. Far below it a token
// sees itself alone: exp(−104) is 0 in float32.
const maxSlope = 1000

// parseSlope reads Options.Slope as a slope per head, in score units per
// position.
func parseSlope(s string, heads int) ([]float64, error) {
	if s == "alibi" {
		return posenc.Slopes(heads)
	}
	var x float64
	if s != "" {
		var err error
		if x, err = posenc.ParseDecimal(s); err != nil || x < 0 || x > maxSlope {
			return nil, fmt.Errorf("%q: expected 0 (no bias yet), alibi (a slope per head) or a positive number of at most %d score units per position", s, maxSlope)
		}
	}
	out := make([]float64, heads)
	for h := range out {
		out[h] = x
	}
	return out, nil
}
