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
	// Model is the folder's name, Path the folder. Of a rival Model is its name, As too,
	// and Path the source's. Source: it is what the others are compared with.
	Model  string `json:"model"`
	Path   string `json:"path"`
	As     string `json:"as,omitempty"`
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
	// Bands are, for T > L, positions L/2 … L−1, L … 2L−1, 2L … 4L−1, …: L is the
	// source's trained length, or without a source the model's.
	Bands []Band `json:"bands,omitempty"`
	Copy  []Copy `json:"copy,omitempty"`
}

// Bucket is a range of positions, From and To included.
type Bucket struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	PPL  Number `json:"ppl"`
	KL   Number `json:"kl"`
	Top1 Number `json:"top1"`
}

// Band is a range of positions, From and To included, of sequences that go beyond the
// trained length.
type Band struct {
	From  int      `json:"from"`
	To    int      `json:"to"`
	PPL   Number   `json:"ppl"`
	PPLCI Interval `json:"ppl_ci"`
	// Own is PPL over the model's own in the band before L, null there: what the
	// positions beyond L cost it, the text's difficulty included.
	Own   Number   `json:"own_ratio"`
	OwnCI Interval `json:"own_ratio_ci"`
	// Ratio is PPL over the source's in the same band; null without one.
	Ratio   Number   `json:"ppl_ratio"`
	RatioCI Interval `json:"ppl_ratio_ci"`
}

// Copy is the copy probe at one distance.
type Copy struct {
	Distance int `json:"distance"`
	// Probes is how many strings were tried, Tokens how many tokens counted.
	Probes int `json:"probes"`
	// Together: all of them stood in one sequence.
	Together bool   `json:"together,omitempty"`
	Tokens   int    `json:"tokens"`
	Accuracy Number `json:"accuracy"`
	// Share is Accuracy over the source's; null without one, and where it copies nothing.
	Share Number `json:"source_share"`
	NLL   Number `json:"nll"`
	// First is the nll of the same tokens where they come for the first time:
	// without anything to copy. Alphabet is how many tokens they were drawn from:
	// chance is an accuracy of 1/Alphabet and a nll of ln Alphabet.
	First    Number `json:"nll_first"`
	Alphabet int    `json:"alphabet"`
}
