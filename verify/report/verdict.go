package report

import (
	"encoding/json"
	"math"
	"strconv"
)

// Verdict is the outcome of a check or of a whole verification.
type Verdict string

const (
	Pass        Verdict = "pass"
	Fail        Verdict = "fail"
	Ambiguous   Verdict = "ambiguous" // a near tie leaves it open, another first token within the limit or another expert: never a pass
	Incomplete  Verdict = "incomplete"
	Unavailable Verdict = "unavailable" // of a check: the machine lacks what it needs
	Skipped     Verdict = "skipped"     // of a check: the graph's form rules it out; Detail says how
	Info        Verdict = "info"        // of a check: a figure that is not judged
)

// Verdicts lists every verdict.
func Verdicts() []Verdict {
	return []Verdict{Pass, Fail, Ambiguous, Incomplete, Unavailable, Skipped, Info}
}

// Number is a float64 that JSON writes as null when it is not finite.
type Number float64

// MarshalJSON writes null for NaN and infinities, which JSON cannot hold.
func (n Number) MarshalJSON() ([]byte, error) {
	x := float64(n)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, x, 'g', -1, 64), nil
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	var x float64
	if err := json.Unmarshal(b, &x); err != nil {
		return err
	}
	*n = Number(x)
	return nil
}
