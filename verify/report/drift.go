package report

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
