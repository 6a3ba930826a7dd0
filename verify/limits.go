package verify

import "github.com/pecvt/pecvt/verify/report"

// limitFor returns the limit for what a runner computes in. compare gives a runner
// in float32 the model's own budget instead.
func limitFor(runner string) float64 {
	switch runner {
	case "ref", "interp":
		return report.Float64.Limit()
	default:
		return report.Float32.Limit()
	}
}

// float32Row is the table's row of float32.
func float32Row() report.Tolerance {
	t, err := report.Float32.Tolerance()
	if err != nil {
		panic(err)
	}
	return t
}
