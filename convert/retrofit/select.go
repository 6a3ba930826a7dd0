package retrofit

import (
	"context"
	"fmt"
	"math"
	"time"
)

// SelectOptions say what to choose from a ranking.
type SelectOptions struct {
	Budget      Budget
	Granularity Granularity
	// Trials bounds the end-to-end measurements of the search; 0 is 7. Where all
	// of them fail, the cheapest choice is measured too.
	Trials int
	// Scaled says that a model without anything dropped is not the source, as kept planes
	// turn otherwise: it is measured first, and refused where it is over the budget alone.
	Scaled bool
	// Force takes the cheapest single choice where not even that is within the
	// budget; without it that is an error that wraps ErrBudget.
	Force bool
	// Progress may be nil.
	Progress func(Progress)
}

// usualTrials is what SelectOptions.Trials is by default, MostTrials how many
// candidates a search with it measures at most.
const (
	usualTrials = 7
	MostTrials  = usualTrials + 1
)

// Select ranks the choices by cost and drops the cheapest ones: the share that
// the budget names, or as many as an end-to-end measure allows. That number is
// bisected: the measure is taken to grow with it, which is checked for the
// result alone. turns are the source's; measure may be nil for BudgetPlanes.
func Select(ctx context.Context, c *Costs, turns []Turn, measure Measure, o SelectOptions) (*Selection, error) {
	if o.Trials == 0 {
		o.Trials = usualTrials
	}
	if o.Granularity == "" {
		o.Granularity = ByGroup
	}
	ranking := Rank(c, o.Granularity)
	base := &Selection{Granularity: o.Granularity, Budget: o.Budget.String(), Candidates: len(ranking), Costs: c, turns: turns}
	if len(ranking) == 0 {
		return nil, fmt.Errorf("select: no plane that turns is below the cut: there is nothing to choose")
	}
	if o.Budget.Kind == BudgetPlanes {
		n := int(math.Round(o.Budget.Value * float64(len(ranking))))
		out := base.dropping(ranking, n)
		if measure != nil {
			m, err := measure(ctx, out)
			if err != nil {
				return nil, fmt.Errorf("select: measure: %w", err)
			}
			out.Trials, out.Measured = []Trial{{n, m, true}}, &m
		}
		return out, nil
	}
	if k := o.Budget.Kind; k != BudgetPPL && k != BudgetKL {
		return nil, fmt.Errorf("select: budget %q: expected %s, %s or %s", k, BudgetPPL, BudgetKL, BudgetPlanes)
	}
	if measure == nil {
		return nil, fmt.Errorf("select: budget %s needs a measure: give a text, or use planes=75%%", o.Budget)
	}
	b := &bisection{base: base, ranking: ranking, measure: measure, options: o}
	return b.run(ctx)
}

type bisection struct {
	base    *Selection
	ranking []Choice
	measure Measure
	options SelectOptions
	trials  []Trial
	spent   time.Duration
}

// run finds the largest number of choices within the budget, as exactly as the
// trials allow. low is known to hold (0: the source itself), high not to.
func (b *bisection) run(ctx context.Context) (*Selection, error) {
	n := len(b.ranking)
	low, high := 0, n+1
	best := Measured{}
	var first *Trial
	if b.options.Scaled {
		m, err := b.try(ctx, 0)
		if err != nil {
			return nil, err
		}
		if !b.trials[0].Within && !b.options.Force {
			return nil, &ScalingError{Budget: b.options.Budget, Measured: m}
		}
	}
	for len(b.trials) < b.options.Trials && high-low > 1 {
		at := (low + high) / 2
		if high > n { // everything may be cheap
			at = n
		}
		m, err := b.try(ctx, at)
		if err != nil {
			return nil, err
		}
		t := b.trials[len(b.trials)-1]
		if t.Within {
			low, best = at, m
		} else {
			high, first = at, &t
		}
	}
	// every trial may have failed with high still above 1: the cheapest choice
	// decides whether there is anything to do
	if low == 0 && high > 1 {
		m, err := b.try(ctx, 1)
		if err != nil {
			return nil, err
		}
		if t := b.trials[len(b.trials)-1]; t.Within {
			low, best = 1, m
		} else {
			first = &t
		}
	}
	if low == 0 {
		if !b.options.Force {
			return nil, &CheapestError{Choices: n, Choice: b.ranking[0], Granularity: b.options.Granularity, Budget: b.options.Budget, Measured: first.Measured}
		}
		low, best = 1, first.Measured
	}
	out := b.base.dropping(b.ranking, low)
	out.Trials, out.Measured = b.trials, &best
	return out, nil
}

func (b *bisection) try(ctx context.Context, n int) (Measured, error) {
	if err := ctx.Err(); err != nil {
		return Measured{}, err
	}
	begin := time.Now()
	m, err := b.measure(ctx, b.base.dropping(b.ranking, n))
	if err != nil {
		return m, fmt.Errorf("select: measure with %d of %d choices dropped: %w", n, len(b.ranking), err)
	}
	b.spent += time.Since(begin)
	within := b.options.Budget.Holds(m) // false for a loss that is not a number
	b.trials = append(b.trials, Trial{n, m, within})
	if b.options.Progress != nil {
		done := len(b.trials)
		rest := b.spent.Seconds() / float64(done) * float64(max(b.options.Trials-done, 0))
		b.options.Progress(Progress{Stage: "measure", Layer: done, Layers: max(b.options.Trials, done), Seconds: rest})
	}
	return m, nil
}

// String names a choice.
func (c Choice) String() string {
	switch {
	case c.Layer < 0:
		return fmt.Sprintf("plane %d", c.Plane)
	case c.Group < 0:
		return fmt.Sprintf("layer %d, plane %d", c.Layer, c.Plane)
	}
	return fmt.Sprintf("layer %d, key/value head %d, plane %d", c.Layer, c.Group, c.Plane)
}

// ScalingError says that the scaled model is over the budget before anything is dropped.
// It matches ErrBudget.
type ScalingError struct {
	Budget   Budget
	Measured Measured
}

func (e *ScalingError) Unwrap() error { return ErrBudget }

func (e *ScalingError) Error() string {
	return fmt.Sprintf("select: the scaling alone, nothing dropped, is not within %s: %s: %v", e.Budget, e.Budget.format(e.Measured), ErrBudget)
}

// CheapestError says that not even one choice is within the budget. It matches
// ErrBudget; SelectOptions.Force takes that choice all the same.
type CheapestError struct {
	// Choice is the cheapest of Choices, and Measured what dropping it alone
	// costs.
	Choices     int
	Choice      Choice
	Granularity Granularity
	Budget      Budget
	Measured    Measured
}

func (e *CheapestError) Unwrap() error { return ErrBudget }

func (e *CheapestError) Error() string {
	return fmt.Sprintf("select: not even the cheapest of %d choices (%s) is within %s: %s: %v", e.Choices, e.Choice, e.Budget, e.Budget.format(e.Measured), ErrBudget)
}
