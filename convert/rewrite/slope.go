package rewrite

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pecvt/pecvt/posenc"
)

// parseSlope reads Options.Slope as a slope per head, in score units per
// position.
func parseSlope(s string, heads int) ([]float64, error) {
	if s == "alibi" {
		return posenc.Slopes(heads)
	}
	var x float64
	if s != "" {
		var err error
		if x, err = strconv.ParseFloat(s, 64); err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("%q: expected 0 (no bias yet), alibi (a slope per head) or a positive number in score units per position", s)
		}
	}
	out := make([]float64, heads)
	for h := range out {
		out[h] = x
	}
	return out, nil
}
