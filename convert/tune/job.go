package tune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/posenc/hint"
)

// LongestDefault is the longest length that is worked at without being asked.
const LongestDefault = 8192

// DefaultBudget bounds what a calibration may cost where nothing else is asked
// for: a result that is worse by more than a quarter is no retrofit.
var DefaultBudget = retrofit.Budget{Kind: retrofit.BudgetPPL, Value: .25}

// DefaultCopies is what Calibrate.Copies is by default, NoCopies the text alone.
const (
	DefaultCopies = .25
	NoCopies      = -1
)

// ErrNothing is a conversion that keeps the model's function.
var ErrNothing = errors.New("there is nothing to select or to calibrate")

// Job chooses the planes of a lossy conversion, refits its layers, or both, and
// measures what comes of it.
type Job struct {
	// Model is what convert.NewPlan takes, Options are the conversion's. Their
	// Tuning is what the job makes.
	Model   string
	Options convert.Options
	// Select and Calibrate say what is to be done; nil leaves it out.
	Select    *Select
	Calibrate *Calibrate
	// Budget bounds the measured result, which is refused where it is over it.
	// nil is Select's, where that bounds what is measured; else DefaultBudget with
	// Calibrate, and no bound without. OverBudget takes the result all the same.
	Budget     *retrofit.Budget
	OverBudget bool
	// Text is read for costs, fits and measurements; MeasureTokens of it, at its
	// end, are measured on (0: DefaultMeasureTokens).
	Text          Source
	MeasureTokens int
	// Seed draws rows, sequences and strings. 0 is a seed like another; the
	// command line's is 1.
	Seed uint64
	// Engine runs the models.
	Engine Engine
	// Force replaces an existing target of pecvt's.
	Force bool

	// Rehearse, where not nil, is given the plan of a result of the form that the
	// work will end in, before it begins: an error says that this form cannot be
	// used, as where no graph could be made of it.
	Rehearse func(*convert.Plan) error
	// Expect, where not nil, is told before the work begins how long it will take
	// and what else to know.
	Expect func(Estimate, []string)
	// Progress, where not nil, is told how far the work is; besides retrofit's
	// stages there is StageScore.
	Progress func(retrofit.Progress)
}

// StageScore is the progress of one measurement: the one numbered Layer has run
// Step of Steps tokens, Seconds are left of it.
const StageScore = "score"

// Select drops only planes of Options.To "hope" that cost little.
type Select struct {
	// Budget says how many: a share of the choices, or as many as keep what is
	// measured within it.
	Budget retrofit.Budget
	// By is what is dropped together; "" is retrofit.ByGroup.
	By retrofit.Granularity
	// Length is the positions at which costs are measured; 0 is the trained
	// length, at most LongestDefault.
	Length int
}

// searches reports whether the budget takes a series of measurements to meet.
func (s *Select) searches() bool { return s != nil && s.Budget.Kind != retrofit.BudgetPlanes }

// Calibrate refits W_q and W_k so that attention is the source's own again. The
// zero value does it as the command line does.
type Calibrate struct {
	// Length is the longest sequences' positions, a quarter and a sixteenth of
	// which are mixed in; 0 is the trained length, at most LongestDefault.
	Length int
	// Tokens are read, about, and at least one sequence of each length; 0 is
	// 16384, at least 8 times Length (above 4096 positions 16 times) and what
	// Options.Extend asks for, and never what is measured on.
	Tokens int
	// Steps of each layer; 0 is 96, above 4096 positions 3000. Layers whose attention
	// copies have twice as many.
	Steps int
	// Fit is what is fitted, of retrofit.Fits; empty is retrofit.UsualFit.
	Fit string
	// Copies is the share of tokens, at most a half, that random strings take
	// which stand twice, so that heads which copy are kept; 0 is DefaultCopies.
	Copies float64
}

// MostSteps bounds Calibrate.Steps; the steps of a layer are drawn at once.
const MostSteps = 100_000

// shortest is the least length that is worked at.
const shortest = 16

// complete fills in defaults and refuses what cannot be meant.
func (j Job) complete() (Job, error) {
	switch {
	case j.Select == nil && j.Calibrate == nil:
		return j, errors.New("tune: neither Select nor Calibrate: there is nothing to do")
	case j.Text == nil:
		return j, errors.New("tune: no Text: planes are chosen and layers fitted by the model's own activations on one")
	case j.Engine == nil:
		return j, errors.New("tune: no Engine to run models with: verify/eval has one")
	case j.Options.Extend != 0 && j.Calibrate == nil && j.Options.Scale.Kind == "":
		return j, hint.Errorf("tune: "+hint.Extend+" %d without "+hint.Calibrate+" or "+hint.Scale+": attention beyond the trained length has to be fitted, or planes have to turn slower", j.Options.Extend)
	case j.MeasureTokens < 0:
		return j, fmt.Errorf("tune: MeasureTokens %d: expected 2 or more", j.MeasureTokens)
	case j.Budget != nil && j.Budget.Kind == retrofit.BudgetPlanes:
		return j, fmt.Errorf("tune: Budget %s bounds what is measured: expected a perplexity or a KL", j.Budget)
	}
	if j.Select != nil {
		s := *j.Select
		if j.Select = &s; s.By == "" {
			s.By = retrofit.ByGroup
		}
		switch {
		case j.Options.To != "hope":
			return j, fmt.Errorf("tune: Select chooses among the planes of hope: %q has no choice", j.Options.To)
		case s.Budget == retrofit.Budget{}:
			return j, errors.New("tune: Select.Budget is missing: a share of the planes, or what may be lost")
		case s.Length != 0 && s.Length < shortest:
			return j, fmt.Errorf("tune: Select.Length %d: expected %d or more", s.Length, shortest)
		}
	}
	if j.Calibrate != nil {
		c := *j.Calibrate
		if j.Calibrate = &c; c.Copies == 0 {
			c.Copies = DefaultCopies
		}
		switch {
		case c.Length != 0 && c.Length < shortest, c.Tokens != 0 && c.Tokens < shortest:
			return j, fmt.Errorf("tune: Calibrate with Length %d, Tokens %d: expected %d or more", c.Length, c.Tokens, shortest)
		case c.Steps < 0 || c.Steps > MostSteps:
			return j, fmt.Errorf("tune: Calibrate.Steps %d: expected 1 to %d", c.Steps, MostSteps)
		case c.Fit != "" && !slices.Contains(retrofit.Fits(), c.Fit):
			return j, fmt.Errorf("tune: Calibrate.Fit %q: expected %s", c.Fit, strings.Join(retrofit.Fits(), " or "))
		case c.Copies > .5:
			return j, fmt.Errorf("tune: Calibrate.Copies %v: expected a share of at most a half", c.Copies)
		}
		c.Copies = max(c.Copies, 0) // NoCopies
	}
	if j.Budget == nil {
		switch {
		case j.Select.searches():
			j.Budget = &j.Select.Budget
		case j.Calibrate != nil:
			j.Budget = &DefaultBudget
		}
	}
	return j, nil
}

// Convert runs the job and writes the result.
func (j Job) Convert(ctx context.Context, o convert.RunOptions) (*Result, error) {
	r, err := j.Run(ctx)
	if err != nil {
		return nil, err
	}
	p, err := r.Plan()
	if err != nil {
		return nil, err
	}
	if _, err := r.Write(ctx, p, o); err != nil {
		return nil, err
	}
	return r, nil
}

// Run chooses, fits and measures; nothing is written but the work folder, which is this
// job's alone until Result.Write takes it away or Result.Close leaves it. Errors: what convert.NewPlan says, ErrNothing, a
// target that is taken or that another job works at (fsio.ErrClaimed), a text that is too short, a Meter that cannot be had,
// all of them before the work; a result over the budget (retrofit.ErrBudget). A
// KeptError says that a work folder stays.
func (j Job) Run(ctx context.Context) (*Result, error) {
	w, err := j.begin()
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.open(ctx); err != nil {
		w.folder.free()
		return nil, err
	}
	if err := w.run(ctx); err != nil {
		return nil, w.folder.left(err)
	}
	o := w.job.Options
	o.Tuning = &w.result
	return &Result{Tuning: &w.result, Estimate: w.estimate, Notes: w.notes, model: j.Model, options: o, force: j.Force, folder: w.folder}, nil
}

// begin decides the conversion and takes the work folder.
func (j Job) begin() (*work, error) {
	j, err := j.complete()
	if err != nil {
		return nil, err
	}
	w := &work{job: &j}
	if err := w.plans(); err != nil {
		return nil, err
	}
	return w, nil
}
