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
	// Input says which tokens a row of a report is about: "prompt", "window",
	// "far-positions", "golden", or "golden-hidden.i" for the states of a layer.
	Input string `json:"input,omitempty"`
	// Of is the model whose plain run Baseline is: "source", or "checkpoint" where
	// no source was given or it cannot take the input.
	Of string `json:"of,omitempty"`
	// Baseline is the error of a plain run of that model in DType against float64,
	// max |got − want| / max |want| over the same tokens; null where it is not
	// finite. C × Baseline is the budget, but never under Floor nor past Cap.
	Baseline Number `json:"baseline,omitempty"`
	C        Number `json:"c,omitempty"`
	Floor    Number `json:"floor,omitempty"`
	Cap      Number `json:"cap,omitempty"`
	// Limit bounds max |got − want| / max |want| over all logits; in the table,
	// where nothing is measured, it is the cap.
	Limit Number `json:"limit"`
	// Why says where the figure comes from.
	Why string `json:"why"`
}

// capped tells whether the model, not the runner, is what makes the limit.
func (t *Tolerance) capped() bool { return !(t.C*t.Baseline <= t.Cap) }

// The budget of float32: see Tolerances.
const (
	budgetC     = 4
	budgetFloor = 64
	budgetCap   = 1e-3
)

// Tolerances is the one table of limits.
func Tolerances() []Tolerance {
	u := roundoff["float32"]
	return []Tolerance{
		{DType: "float64", Limit: Number(16 * u), Why: "16 u: float64 arithmetic over cos and sin tables rounded once to float32"},
		{DType: "float32", C: budgetC, Floor: Number(budgetFloor * u), Cap: budgetCap, Limit: budgetCap,
			Why: "c × the error of a plain float32 run of the source, at least 64 u, at most the cap"},
	}
}

// roundedLimit bounds max |got − want| / max |want| between two float64 runners
// of the same constants.
const roundedLimit = 1e-9

// row returns the table's row of a dtype; it panics on another.
func row(dtype string) Tolerance {
	for _, t := range Tolerances() {
		if t.DType == dtype {
			return t
		}
	}
	panic("verify: no tolerance for " + dtype)
}

// limit returns the limit for a dtype where no model's budget was measured: the
// floor of a dtype that has one.
func limit(dtype string) float64 {
	t := row(dtype)
	if t.C > 0 {
		return float64(t.Floor)
	}
	return float64(t.Limit)
}

// limitFor returns limit for what a runner computes in. compare gives a runner
// in float32 the model's own budget instead.
func limitFor(runner string) float64 {
	switch runner {
	case "ref", "interp":
		return limit("float64")
	default:
		return limit("float32")
	}
}
