package report_test

import (
	"fmt"

	"github.com/pecvt/pecvt/verify/report"
)

// How far two answers are apart.
func ExampleCompare() {
	want := &report.Logits{B: 1, S: 1, V: 3, Data: []float64{1, 2, 4}}
	got := &report.Logits{B: 1, S: 1, V: 3, Data: []float64{1, 2, 4.25}}
	m, err := report.Compare(got, want, nil)
	fmt.Printf("%.4g %v\n", m.MaxAbs, err)
	// Output: 0.25 <nil>
}
