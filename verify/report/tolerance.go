package report

import (
	"fmt"
	"math"
	"strings"
)

// Arithmetic is the type that a runner computes in. It decides what an answer
// may be off by: one that Tolerances has no row for cannot be judged.
type Arithmetic string

const (
	Float64 Arithmetic = "float64"
	Float32 Arithmetic = "float32"
	// Float16 and BFloat16 are of graphs whose values are rounded to them; sums inside of
	// an operator are not.
	Float16  Arithmetic = "float16"
	BFloat16 Arithmetic = "bfloat16"
)

// roundoffs are the unit roundoffs: half the distance from 1 to the next number.
var roundoffs = map[Arithmetic]float64{
	Float64: math.Pow(2, -53),
	Float32: math.Pow(2, -24),
	Float16: math.Pow(2, -11), BFloat16: math.Pow(2, -8),
}

// Roundoff is u, the largest relative error of rounding a number to a. It
// panics on an arithmetic that Tolerance refuses.
func (a Arithmetic) Roundoff() float64 {
	u, ok := roundoffs[a]
	if !ok {
		panic("report: no roundoff for " + string(a))
	}
	return u
}

// Tolerance is one row of the table of limits.
type Tolerance struct {
	// DType is the type a runner computes in.
	DType Arithmetic `json:"dtype"`
	// Input says which tokens a row of a report is about: "prompt", "batch",
	// "window", "long-past", "positions", "far-positions", "golden", or
	// "golden-hidden.i" for the states of a layer.
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

// Capped tells whether the model, not the runner, is what makes the limit.
func (t *Tolerance) Capped() bool { return !(t.C*t.Baseline <= t.Cap) }

// The budget of float32: see Tolerances. Floors are in unit roundoffs.
const (
	BudgetC      = 8
	budgetFloor  = 64
	LoweredFloor = 512
	budgetCap    = 1e-3
)

// Tolerances is the one table of limits.
//
// interp computes in float64, but its graph holds cos and sin tables rounded
// once to float32: an error of u in each score term and none elsewhere, so the
// limit is 16 u of float32. That error is of a score's size: where scores are
// large (hundreds), softmax makes more of it. An answer past the limit is then
// compared with a second reference, whose cos, sin, scale of scores and ε are
// rounded as the graph's are: it has to agree to roundedLimit, which leaves no
// room for anything but the order of float64's additions. How far the tables
// themselves are from the encoding is bounded by the check tables.
//
// What float32 may cost is a property of the model, and measured on it: a plain
// forward pass in float32 (ref.New32, every weight, activation and sum rounded)
// of the source, on the same tokens, is off from float64 by the baseline e; a
// runtime that computes in float32 may be off by
//
//	limit = min(max(c e, floor), cap)
//
// Of the source, because a conversion that made the model worse must not buy
// itself a wider limit. The two prompts' tokens are the largest sample of e:
// other inputs, of few tokens, have their own e where it is larger. Two answers that
// are both in float32 (ONNX Runtime's and those of a given file) may differ by
// twice that.
//
// c = 8. Both errors are the largest of many roundings, in another order and
// with other blocks of sums, so their ratio scatters about 1. Over 737 checks of
// the 39 bundled models and every form of their graphs but lowered biases
// (TestBudget, with PECVT_LONG=1; ONNX Runtime on a CPU) it is 0.9 in the median,
// 1.4 at 90%, 1.9 at 99% and 2.9 at the most. Random models scatter more: with e
// of a prompt of 48 tokens alone one in some 600 was past 8 (TestNoFalseAlarm),
// with e of the longer prompt too, as it is now, none.
//
// floor = 64 u = 3.8e-6, a few times the error of those models (10 u in the
// median, 52 u at 99%): a small model that happens to round well, or whose
// few tokens do, must not be held to its luck. A graph whose biases are lowered
// into coordinates of the heads has sums that the source has not, of terms that
// grow with the position (docs/biases-in-graphs.md): 512 u there; the largest
// seen is 274 u.
//
// cap = 1e-3: what is wrong rather than rounded (a sign, a plane, a position)
// moves logits by 1e-3 and more, and first tokens change. A model whose float32
// is worse than cap/c is ill-conditioned in that precision: that is said, and an
// answer past the cap fails for it.
func Tolerances() []Tolerance {
	u := Float32.Roundoff()
	return []Tolerance{
		{DType: Float64, Limit: Number(16 * u), Why: "16 u: float64 arithmetic over cos and sin tables rounded once to float32"},
		{DType: Float32, C: BudgetC, Floor: Number(budgetFloor * u), Cap: budgetCap, Limit: budgetCap,
			Why: "e: the error of a plain float32 run of the source on the same tokens; the floor is 64 u, and 512 u with lowered biases"},
	}
}

// RoundedLimit bounds max |got − want| / max |want| between two float64 runners
// of the same constants.
const RoundedLimit = 1e-9

// Tolerance returns the table's row of an arithmetic; one without a row is an
// error, not another's.
func (a Arithmetic) Tolerance() (Tolerance, error) {
	var known []string
	for _, t := range Tolerances() {
		if t.DType == a {
			return t, nil
		}
		known = append(known, string(t.DType))
	}
	return Tolerance{}, fmt.Errorf("arithmetic %q: no tolerance is known for it: expected %s", a, strings.Join(known, " or "))
}

// Limit is the limit for an arithmetic where no model's budget was measured: the
// floor of one that has a floor. It panics on one that Tolerance refuses.
func (a Arithmetic) Limit() float64 {
	t, err := a.Tolerance()
	if err != nil {
		panic("report: " + err.Error())
	}
	if t.C > 0 {
		return float64(t.Floor)
	}
	return float64(t.Limit)
}

// HalfC is c of [HalfLimit]: 6. What 16 bits cost a model is the largest of many
// roundings too, so that it is in proportion to what float32 costs it: over the 140
// bundled models without mixtures (TestHalfBudget, with PECVT_LONG=1, which fails where
// one passes half of the limit) it is e u/2^-24 times 0.39 in the median, 0.56 at 90% and
// 1.5 at the most in float16 of the interpreter, which rounds every value once, 0.31,
// 0.47 and 1.4 of ONNX Runtime's CPU provider, 0.36, 0.59 and 2.3 in bfloat16 of the
// interpreter. Under 1, because sums inside of an operator round once, and in a plain
// float32 run at every term. Of 57 with mixtures the medians are 0.42, 0.36 and 1.4, and
// up to the limit is taken where another expert is chosen. 6 is as far from the largest
// seen as 8 is for float32.
const HalfC = 6

// HalfLimit bounds what an answer in 16 bits may be off by, in parts of the largest
// logit: c e u/2^-24, where e is what a plain float32 run of the source on the prompts is
// off by (see Tolerances).
func HalfLimit(a Arithmetic, e float64) float64 {
	return HalfC * e * a.Roundoff() / Float32.Roundoff()
}

// HalfAgain and HalfSpread bound what ONNX Runtime is off by in 16 bits, in parts of what
// the interpreter is, which rounds every value once: at the most, and in root mean
// square. Measured on 198 graphs of the bundled models, three prompts each, in float16 on
// a CPU: at the most 0.83 in the median, 1.48 at 99% and 2.11; in root mean square 0.81,
// 0.97 at 95% and 1.24.
const (
	HalfAgain  = 4
	HalfSpread = 2
)
