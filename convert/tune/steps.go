package tune

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// run does the work: choose, fit, measure, judge.
func (w *work) run(ctx context.Context) error {
	if err := w.expect(); err != nil {
		return err
	}
	if w.job.Select != nil {
		if err := w.choose(ctx); err != nil {
			return err
		}
	}
	if w.job.Calibrate != nil {
		if err := w.calibrate(ctx); err != nil {
			return err
		}
	}
	if s := w.result.Selection; s != nil && w.result.Calibration == nil {
		w.result.Measured = s.Measured // by the search
	}
	if w.result.Measured == nil {
		m, err := w.tries.with(ctx, &w.result)
		if err != nil {
			return fmt.Errorf("measure: %w", err)
		}
		w.result.Measured = &m
	}
	if w.parts.Whole != nil {
		r, err := w.tries.reach(ctx, &w.result, w.parts.Whole, w.parts.Pieces)
		if err != nil {
			return fmt.Errorf("measure: %w", err)
		}
		w.result.Reached = &r
	}
	w.result.Texts = append(w.result.Texts, w.parts.measured()...)
	return w.judge()
}

// choose selects the planes, or takes the selection that an interrupted run
// made.
func (w *work) choose(ctx context.Context) error {
	j := w.job
	key, sequences, err := w.selectionKey()
	if err != nil {
		return err
	}
	s, err := w.folder.load(key, w.free)
	if err != nil {
		return err
	}
	if s == nil {
		if s, err = w.selection(ctx, sequences); err != nil {
			return err
		}
		if j.Calibrate != nil {
			if err := w.folder.save(key, s); err != nil {
				return err
			}
		}
	}
	w.result.Selection = s
	w.result.Texts = append(w.result.Texts, w.text.uses(0, tokenCount(sequences), "costs")...)
	return nil
}

// selectionKey names everything that decides the selection; sequences are what costs are
// measured on.
func (w *work) selectionKey() (key string, sequences [][]int64, err error) {
	j := w.job
	sequences = w.parts.Costs(w.selectLength)
	fingerprint, err := retrofit.Contents(w.m, w.ckpt)
	if err != nil {
		return "", nil, err
	}
	key, err = keyOf(fingerprint, w.plan.Encoding.Planes, w.planes, retrofit.Hash(w.free), &j.Select.Budget, j.Select.By, j.Seed, sequences, w.parts.Measured)
	return key, sequences, err
}

// selection measures costs and selects by them.
func (w *work) selection(ctx context.Context, sequences [][]int64) (*retrofit.Selection, error) {
	j := w.job
	c, err := retrofit.MeasureCosts(ctx, w.m, w.ckpt, j.Engine.Walk(w.m, w.ckpt), sequences, w.planes, retrofit.CostOptions{Seed: j.Seed, Turns: w.free, Progress: j.Progress})
	if err != nil {
		return nil, err
	}
	var measure retrofit.Measure
	if j.Select.searches() {
		measure = func(ctx context.Context, s *retrofit.Selection) (retrofit.Measured, error) {
			return w.tries.with(ctx, &convert.Tuning{Selection: s})
		}
	}
	return retrofit.Select(ctx, c, w.free, measure, retrofit.SelectOptions{Budget: j.Select.Budget, Granularity: j.Select.By, Scaled: j.Options.Scale.Kind != "", Force: j.OverBudget, Progress: j.Progress})
}

// calibrate refits the layers to what the conversion turns by.
func (w *work) calibrate(ctx context.Context) error {
	student, err := w.student()
	if err != nil {
		return err
	}
	c, err := retrofit.Calibrate(ctx, w.m, w.ckpt, w.job.Engine.Walk(w.m, w.ckpt), student, w.training, w.calibrateOptions())
	if err != nil {
		return err
	}
	w.result.Calibration = c
	w.result.Texts = append(w.result.Texts, w.text.uses(0, tokenCount(w.training), "calibrate")...)
	return nil
}

// judge refuses a result over the budget.
func (w *work) judge() error {
	budget, r := w.job.Budget, &w.result
	r.MeasuredLength = len(w.parts.Measured[0])
	if budget == nil {
		return nil
	}
	over := &BudgetError{Measured: *r.Measured, Length: r.MeasuredLength, Budget: *budget, Calibrated: r.Calibration != nil}
	r.Budget, r.OverBudget = budget.String(), !budget.Holds(*r.Measured)
	if far := r.Reached; far != nil && budget.Kind == retrofit.BudgetPPL && !r.OverBudget { // of two different contexts no KL is taken
		if r.OverBudget = !budget.Holds(retrofit.Measured{PPL: far.PPL, SourcePPL: far.SourcePPL}); r.OverBudget {
			over.Reached = far
		}
	}
	if !r.OverBudget || w.job.OverBudget {
		return nil
	}
	return over
}
