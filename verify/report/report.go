package report

import "fmt"

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
	// Other says that the figures are of other values than logits: KL and top-1
	// mean nothing then.
	Other bool `json:"-"`
	// Blame says where to look for the cause of a failure.
	Blame string `json:"blame,omitempty"`
}

// Report is a verification's result, and what --json prints.
type Report struct {
	Schema int `json:"schema"`
	// Version is that of the program, where it said so.
	Version string  `json:"version,omitempty"`
	Verdict Verdict `json:"verdict"`
	Model   string  `json:"model"`
	Family  string  `json:"family"`
	// InsideOf is the model_type of the model of vision or sound that this is the
	// language model of; empty where it stands alone.
	InsideOf string `json:"inside_of,omitempty"`
	// Encoding is the positional encoding as the graph declares it.
	Encoding  string `json:"encoding,omitempty"`
	Attention string `json:"attention,omitempty"`
	// Layers, where not empty, are those that were run, of Of; checks that run the graph
	// count them from 0.
	Layers []int `json:"layers,omitempty"`
	Of     int   `json:"layers_of,omitempty"`
	// Tokens is the length of the prompt used, Seed what made it.
	Tokens int   `json:"tokens"`
	Seed   int64 `json:"seed"`
	// Redrawn are prompts that gave way to others.
	Redrawn []Redrawn `json:"redrawn,omitempty"`
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
	// Read is what was asked for of a folder elsewhere of which some layers were fetched.
	Read    *Traffic `json:"read,omitempty"`
	Seconds Number   `json:"seconds"`
}

// Traffic counts requests to a service, those among them that were made again, and the
// bytes of files that came.
type Traffic struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
	Repeated int64 `json:"repeated,omitempty"`
}

// Redrawn is a generated prompt that could not tell right from wrong: something
// float32 may decide either way.
type Redrawn struct {
	// Input says which one: "prompt", "long-prefill" or "batch".
	Input string `json:"input"`
	// Seed made it.
	Seed int64 `json:"seed"`
	// Why says what was too close, and where.
	Why string `json:"why"`
}

// String is a line of a report.
func (d Redrawn) String() string {
	return fmt.Sprintf("the %s of seed %d gave way to another: %s", d.Input, d.Seed, d.Why)
}

// Settle derives the verdict: any failure fails, else any near tie is
// ambiguous, else any check that could not be made leaves the report
// incomplete, and a report that judged nothing is no success.
func (r *Report) Settle() {
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

// Failed tells whether a check failed.
func (r *Report) Failed() bool {
	for _, c := range r.Checks {
		if c.Verdict == Fail {
			return true
		}
	}
	return false
}
