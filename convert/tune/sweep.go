package tune

import (
	"context"
	"errors"
	"fmt"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Sweep lists what each plane of a conversion to hope does and, with a text,
// costs; and what each candidate cut would. Nothing is written but what is
// measured, in a temporary folder.
type Sweep struct {
	// Model is what convert.NewPlan takes, Options are the conversion's, whose To
	// is "hope".
	Model   string
	Options convert.Options
	// Text is what costs and drift are measured on; nil lists only what planes
	// and cuts do. MeasureTokens of it, at its end, are for the drift (0:
	// DefaultMeasureTokens).
	Text          Source
	MeasureTokens int
	// Measure converts to each candidate cut and measures its drift.
	Measure bool
	// Length is the positions at which costs and drift are measured; 0 is the
	// trained length, at most LongestDefault.
	Length int
	// Seed draws the rows of costs; the command line's is 1.
	Seed uint64
	// Engine runs the models; it is not needed without a text.
	Engine Engine

	// Expect and Progress are as in Job.
	Expect   func(Estimate, []string)
	Progress func(retrofit.Progress)
}

// check refuses what cannot be meant.
func (j *Sweep) check() error {
	switch {
	case j.Options.To != "hope":
		return fmt.Errorf("tune: a sweep lists the cuts of hope: %q has none", j.Options.To)
	case j.Measure && j.Text == nil:
		return errors.New("tune: Measure needs a Text")
	case j.Text != nil && j.Engine == nil:
		return errors.New("tune: no Engine to run models with: verify/eval has one")
	case j.Length < 0 || j.Length > 0 && j.Length < shortest:
		return fmt.Errorf("tune: Sweep.Length %d: expected %d or more", j.Length, shortest)
	}
	return nil
}

// Run lists planes and cuts and fills in what the text tells.
func (j Sweep) Run(ctx context.Context) (*SweepResult, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	plan, err := convert.NewPlan(j.Model, j.Options)
	if err != nil {
		return nil, err
	}
	s, err := newSweepResult(plan, j.Options.Cut)
	if err != nil || j.Text == nil {
		return s, err
	}
	ckpt, err := store.Open(j.Model)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	m, err := families.LoadIgnoring(ckpt, j.Options.IgnoreKeys)
	if err != nil {
		return nil, err
	}
	text, parts, err := j.divide(ctx, s, ckpt.Root(), m)
	if err != nil {
		return nil, err
	}
	var tries *candidates
	if j.Measure {
		if tries, err = newCandidates(ctx, j.Engine, j.Model, j.Options, parts.Measured, 0, len(s.Cuts) > 1, besides(ckpt), j.Progress); err != nil {
			return nil, err
		}
		defer tries.close()
	}
	planes, sequences := s.turning(), parts.Costs(s.Length)
	s.expect(m, planes, sequences, parts.Measured, tries)
	if j.Expect != nil {
		j.Expect(*s.Expected, nil)
	}
	costs, err := retrofit.MeasureCosts(ctx, m, ckpt, j.Engine.Walk(m, ckpt), sequences, planes, retrofit.CostOptions{Seed: j.Seed, Progress: j.Progress})
	if err != nil {
		return nil, err
	}
	s.BOS, s.Texts = text.BOS, text.uses(0, tokenCount(sequences), "costs")
	s.charge(costs)
	if tries == nil {
		return s, nil
	}
	s.Texts = append(s.Texts, parts.measured()...)
	s.Notes = append(s.Notes, tries.meter.Notes()...)
	return s, s.drift(ctx, j.Options, tries)
}

// divide decides the length, reads the text and divides it.
func (j *Sweep) divide(ctx context.Context, s *SweepResult, dir string, m *family.Model) (*Text, *Division, error) {
	s.Length = orElse(j.Length, min(s.TrainLength, LongestDefault))
	if err := retrofit.SameAt(m, s.Length); err != nil {
		return nil, nil, hint.Errorf("%s %d: %w", hint.SweepLength, s.Length, err)
	}
	text, err := j.Text.Tokens(ctx, dir, m.Vocab)
	if err != nil {
		return nil, nil, err
	}
	parts, err := text.Divide(s.Length, j.MeasureTokens)
	return text, parts, err
}

// expect fills in how long the work will take; tries is nil without a drift.
func (s *SweepResult) expect(m *family.Model, planes []int, sequences, measured [][]int64, tries *candidates) {
	here := thisMachine()
	s.Expected = &Estimate{Costs: here.costs(m, sequences, len(planes))}
	if tries != nil {
		s.Expected.Measurements = len(s.Cuts) + 1
		s.Expected.Measure = float64(s.Expected.Measurements) * here.measure(m, measured, tries.meter.Share())
	}
}

// drift measures every candidate cut.
func (s *SweepResult) drift(ctx context.Context, o convert.Options, tries *candidates) (err error) {
	for i := range s.Cuts {
		at := o
		if at.Cut, err = posenc.ParseCut(s.Cuts[i].Cut); err != nil {
			return err
		}
		got, err := tries.measure(ctx, at)
		if err != nil {
			return hint.Errorf("%s %s: %w", hint.Cut, s.Cuts[i].Cut, err)
		}
		s.Cuts[i].Measured, s.Source = &got, got.SourcePPL
	}
	return nil
}
