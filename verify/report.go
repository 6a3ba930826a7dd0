package verify

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
	Ambiguous   Verdict = "ambiguous" // within the limit, but a near tie has another first token: never a pass
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

// Check is one line of a report.
type Check struct {
	Name   string `json:"name"`
	Runner string `json:"runner"`
	// Level is the optimisation level of a runner that has one.
	Level   string  `json:"level,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Against names what the runner was compared with.
	Against   string `json:"against,omitempty"`
	MaxAbs    Number `json:"max_abs"`
	MaxRel    Number `json:"max_rel"`
	NMSE      Number `json:"nmse"`
	Cosine    Number `json:"cosine"`
	KL        Number `json:"kl"`
	Top1      Number `json:"top1"`
	Limit     Number `json:"limit"`
	Positions int    `json:"positions"`
	Seconds   Number `json:"seconds"`
	// Detail says what went wrong, or what a figure means.
	Detail string `json:"detail,omitempty"`
	// Blame says where to look for the cause of a failure.
	Blame string `json:"blame,omitempty"`
}

// DriftRow is the distance of a converted model from its source at a range of
// positions [From, To].
type DriftRow struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	KL   Number `json:"kl"`
	Top1 Number `json:"top1"`
	Max  Number `json:"max_abs"`
}

// Drift is how far a conversion moved from its source. It is a property of the
// encoding asked for, not of the arithmetic, and never decides the verdict.
type Drift struct {
	Source    string     `json:"source"`
	Kind      string     `json:"kind,omitempty"`
	KL        Number     `json:"kl"`
	Top1      Number     `json:"top1"`
	MaxAbs    Number     `json:"max_abs"`
	Positions []DriftRow `json:"positions"`
}

// Report is a verification's result, and what --json prints.
type Report struct {
	Schema int `json:"schema"`
	// Version is that of the program, where it said so.
	Version string  `json:"version,omitempty"`
	Verdict Verdict `json:"verdict"`
	Model   string  `json:"model"`
	Family  string  `json:"family"`
	// Encoding is the positional encoding as the graph declares it.
	Encoding  string `json:"encoding,omitempty"`
	Attention string `json:"attention,omitempty"`
	// Tokens is the length of the prompt used, Seed what made it.
	Tokens int   `json:"tokens"`
	Seed   int64 `json:"seed"`
	// Runtime is ONNX Runtime's version, empty where it is not there.
	Runtime     string  `json:"runtime,omitempty"`
	RuntimePath string  `json:"runtime_path,omitempty"`
	Checks      []Check `json:"checks"`
	// Placement says on which provider ONNX Runtime ran the graph's nodes.
	Placement []Placement `json:"placement,omitempty"`
	Drift     *Drift      `json:"drift,omitempty"`
	// Facts describe the model, Curves are the data of figures where they were
	// asked for.
	Facts      *Facts      `json:"facts,omitempty"`
	Curves     *Curves     `json:"curves,omitempty"`
	Bisect     *Bisection  `json:"bisect,omitempty"`
	Tolerances []Tolerance `json:"tolerances"`
	Warnings   []string    `json:"warnings,omitempty"`
	Seconds    Number      `json:"seconds"`
}

// settle derives the verdict: any failure fails, else any near tie is
// ambiguous, else any check that could not be made leaves the report
// incomplete, and a report that judged nothing is no success.
func (r *Report) settle() {
	seen := map[Verdict]int{}
	for _, c := range r.Checks {
		seen[c.Verdict]++
	}
	switch {
	case seen[Fail] > 0:
		r.Verdict = Fail
	case seen[Ambiguous] > 0:
		r.Verdict = Ambiguous
	case seen[Unavailable]+seen[Incomplete] > 0 || seen[Pass] == 0:
		r.Verdict = Incomplete
	default:
		r.Verdict = Pass
	}
}
