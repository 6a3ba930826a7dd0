package verify

import (
	"io"

	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// What a caller of Verify meets; package report has the rest.
type (
	// Report is a verification's result.
	Report = report.Report
	// Check is one line of it.
	Check = report.Check
	// Bisection is where the values of a graph first leave the budget.
	Bisection = report.Bisection
	// Verdict is the outcome of a check or of a whole verification.
	Verdict = report.Verdict
)

// The verdicts: see package report.
const (
	Pass        = report.Pass
	Fail        = report.Fail
	Ambiguous   = report.Ambiguous
	Incomplete  = report.Incomplete
	Unavailable = report.Unavailable
	Skipped     = report.Skipped
	Info        = report.Info
)

// WriteJUnitError writes what stands for a verification that could not be made
// at all: see report.WriteJUnitError.
func WriteJUnitError(w io.Writer, model string, cause error) error {
	return report.WriteJUnitError(w, model, cause)
}

// ReadIDs reads tokens from a file: see run.ReadIDs.
func ReadIDs(path string, vocab int) ([][]int64, error) { return run.ReadIDs(path, vocab) }

// BLAS names the library that multiplies the reference's matrices.
func BLAS() string { return ref.BLAS() }
