package htmlreport

import (
	"io"
	"testing"

	"github.com/pecvt/pecvt/verify/report"
)

// TestZeroReport: a page of nothing must not look like a page of success.
func TestZeroReport(t *testing.T) {
	for _, r := range []*report.Report{nil, {}} {
		if Write(io.Discard, r) == nil {
			t.Errorf("%+v makes a page", r)
		}
	}
}
