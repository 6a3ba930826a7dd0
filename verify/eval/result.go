package eval

import (
	"github.com/pecvt/pecvt/verify/report"
)

// Number is a float64 that JSON writes as null when it is not finite; a figure
// that was not measured is NaN.
type Number = report.Number

// Interval is a 95% confidence interval; nil where there is none.
type Interval *[2]Number

// Result is what one model did at one length. The package comment defines the
// figures.
type Result struct {
	// Model is the folder's name, Path the folder. Source: it is what the others
	// are compared with.
	Model  string `json:"model"`
	Path   string `json:"path"`
	Source bool   `json:"source,omitempty"`
	// Length is T, Sequences N, Tokens N(T−1): those that were predicted.
	Length    int `json:"length"`
	Sequences int `json:"sequences"`
	Tokens    int `json:"tokens"`
	// TrainedLength is what the configuration says the model was trained on;
	// Beyond: T is larger.
	TrainedLength int    `json:"trained_length"`
	Beyond        bool   `json:"beyond"`
	Runner        string `json:"runner"`

	NLL   Number   `json:"nll"`
	PPL   Number   `json:"ppl"`
	PPLCI Interval `json:"ppl_ci"`
	// Last is k.
	Last      int      `json:"last"`
	PPLLast   Number   `json:"ppl_last"`
	PPLLastCI Interval `json:"ppl_last_ci"`

	// The rest is compared with the source, and null without one.
	KL          Number   `json:"kl"`
	KLCI        Interval `json:"kl_ci"`
	KLLast      Number   `json:"kl_last"`
	Top1        Number   `json:"top1"`
	Top1CI      Interval `json:"top1_ci"`
	Ratio       Number   `json:"ppl_ratio"`
	RatioCI     Interval `json:"ppl_ratio_ci"`
	RatioLast   Number   `json:"ppl_last_ratio"`
	RatioLastCI Interval `json:"ppl_last_ratio_ci"`

	Buckets []Bucket `json:"buckets"`
	Copy    []Copy   `json:"copy,omitempty"`
}

// Bucket is a range of positions, From and To included.
type Bucket struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	PPL  Number `json:"ppl"`
	KL   Number `json:"kl"`
	Top1 Number `json:"top1"`
}

// Copy is the copy probe at one distance.
type Copy struct {
	Distance int `json:"distance"`
	// Probes is how many strings were tried, Tokens how many tokens counted.
	Probes   int    `json:"probes"`
	Tokens   int    `json:"tokens"`
	Accuracy Number `json:"accuracy"`
	NLL      Number `json:"nll"`
	// First is the nll of the same tokens where they come for the first time:
	// without anything to copy. Alphabet is how many tokens they were drawn from:
	// chance is an accuracy of 1/Alphabet and a nll of ln Alphabet.
	First    Number `json:"nll_first"`
	Alphabet int    `json:"alphabet"`
}
