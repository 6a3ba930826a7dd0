package verify

import "math"

// Unit roundoffs: half the distance from 1 to the next number.
var roundoff = map[string]float64{
	"float64": math.Pow(2, -53),
	"float32": math.Pow(2, -24),
}

// Tolerance is one row of the table of limits.
type Tolerance struct {
	// DType is the type a runner computes in.
	DType string `json:"dtype"`
	// Limit bounds max |got − want| / max |want| over all logits.
	Limit float64 `json:"limit"`
	// Why says where the figure comes from.
	Why string `json:"why"`
}

// Tolerances is the one table of limits.
//
// A forward pass rounds at every layer, and each rounding of relative size u
// is carried to the logits by a residual stream that neither grows nor shrinks
// it much; over n roundings in random directions they add up to about √n·u.
// A decoder of 30 layers makes a few hundred such steps along its path and
// inner products of a few thousand terms, √(10^5) ≈ 320: the limit is 336 u,
// which for float32 is 2e-5. What is wrong rather than rounded (a sign, a
// plane, a position) moves logits by 1e-3 and more.
//
// interp computes in float64, but its graph holds cos and sin tables rounded
// once to float32: an error of u in each score term and none elsewhere, so the
// limit is 16 u of float32. That error is of a score's size: where scores are
// large (hundreds), softmax makes more of it. An answer past the limit is then
// compared with a second reference, whose cos, sin, scale of scores and ε are
// rounded as the graph's are: it has to agree to roundedLimit, which leaves no
// room for anything but the order of float64's additions. How far the tables
// themselves are from the encoding is bounded by the check tables.
func Tolerances() []Tolerance {
	return []Tolerance{
		{DType: "float64", Limit: 16 * roundoff["float32"], Why: "16 u: float64 arithmetic over cos and sin tables rounded once to float32"},
		{DType: "float32", Limit: 336 * roundoff["float32"], Why: "336 u: √n·u over the roundings of a forward pass in float32"},
	}
}

// roundedLimit bounds max |got − want| / max |want| between two float64 runners
// of the same constants.
const roundedLimit = 1e-9

// limit returns the limit for a dtype of the table; it panics on another.
func limit(dtype string) float64 {
	for _, t := range Tolerances() {
		if t.DType == dtype {
			return t.Limit
		}
	}
	panic("verify: no tolerance for " + dtype)
}

// limitFor returns the limit for a runner compared with the float64 reference.
func limitFor(runner string) float64 {
	switch runner {
	case "ref", "interp":
		return limit("float64")
	default:
		return limit("float32")
	}
}
