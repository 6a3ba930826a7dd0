package tune

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// Result is what a job found, and can be written once.
type Result struct {
	// Tuning is what was chosen, fitted and measured, as the manifest keeps it.
	Tuning *convert.Tuning
	// Estimate and Notes are what Job.Expect was told.
	Estimate Estimate
	Notes    []string

	model   string
	options convert.Options
	force   bool
	folder  *folder
}

// Close lets others go on with the work folder, for a result that is not written: Write
// and an error of Plan do it themselves.
func (r *Result) Close() { r.folder.free() }

// Plan decides the conversion with the result in it.
func (r *Result) Plan() (*convert.Plan, error) {
	p, err := convert.NewPlan(r.model, r.options)
	return p, r.folder.left(err)
}

// Write carries a plan of the result out and takes the work folder away.
func (r *Result) Write(ctx context.Context, p *convert.Plan, o convert.RunOptions) (*convert.Result, error) {
	o.Force = o.Force || r.force
	done, err := convert.Run(ctx, p, o)
	if err != nil {
		return nil, r.folder.left(err)
	}
	if err := r.folder.remove(); err != nil {
		return done, fmt.Errorf("the result is complete, but its work folder stays: %w", err)
	}
	return done, nil
}

// BudgetError is a result that measured worse than it may. It matches
// retrofit.ErrBudget.
type BudgetError struct {
	Measured retrofit.Measured
	// Length is the positions that it was measured at.
	Length int
	// Reached, where not nil, is what is over the budget: Measured is within it.
	Reached *retrofit.Reached
	Budget  retrofit.Budget
	// Calibrated says that layers were refitted, Rounded that the weights are codes.
	Calibrated, Rounded bool
}

func (e *BudgetError) Unwrap() error { return retrofit.ErrBudget }

func (e *BudgetError) Error() string {
	if e.Reached != nil {
		return fmt.Sprintf("the result has %s, %v %s", e.Reached, retrofit.ErrBudget, e.Budget)
	}
	return fmt.Sprintf("the result is %s at %d positions, %v %s", e.Measured, e.Length, retrofit.ErrBudget, e.Budget)
}
