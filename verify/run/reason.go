package run

import (
	"strings"

	"github.com/pecvt/pecvt/verify/report"
)

// Reason is an error's text without the name of the runner, which the check
// carries.
func Reason(runner string, err error) string {
	name, _, _ := strings.Cut(runner, "-")
	return strings.TrimPrefix(err.Error(), name+": ")
}

// InFloat64 tells whether a runner computes in float64: what it gets wrong is the
// graph's doing.
func InFloat64(r Runner) bool { return r.Arithmetic() == report.Float64 }
