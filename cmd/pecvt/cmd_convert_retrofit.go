package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify/ref"
)

// retrofitJob selects planes and calibrates layers for one conversion.
type retrofitJob struct {
	flags   *retrofitFlags
	options convert.Options
	model   string
	plan    *convert.Plan // without a retrofit
	ui      *ui

	ckpt    *safetensors.Checkpoint
	m       *family.Model
	turns   []retrofit.Turn
	text    *split
	measure *measurer
	work    work

	selectLength, calibLength int
	planes                    []int
	training                  [][]int64
	estimate                  estimate
	result                    convert.Retrofit
	notes                     []string
}

// retrofit does what the flags ask for and returns what it brings into the
// conversion. The caller calls done when the result is written.
func (a *app) retrofit(ctx context.Context, model string, o convert.Options, graph *onnxops.Options, f *retrofitFlags, force bool, u *ui) (_ *retrofitJob, err error) {
	j := &retrofitJob{flags: f, options: o, model: model, ui: u}
	if j.plan, err = convert.NewPlan(model, o); err != nil {
		return nil, err
	}
	if j.plan.Encoding.Kind != rewrite.Lossy {
		return nil, usagef("--to %s is %s here: there is nothing to select or to calibrate", o.To, j.plan.Encoding.Kind)
	}
	if err := j.plan.CheckTarget(force); err != nil { // known before minutes of work
		return nil, err
	}
	j.options.Output = j.plan.Output
	j.work = workFor(j.plan.Output)
	if err := j.work.check(j.plan.Output); err != nil {
		return nil, err
	}
	if err := j.open(ctx); err != nil {
		return nil, err
	}
	defer j.ckpt.Close()
	defer j.measure.close()
	if err := j.rehearse(graph); err != nil {
		return nil, err
	}
	if err := j.run(ctx); err != nil {
		return nil, j.work.left(err)
	}
	return j, nil
}

// done removes the work folder.
func (j *retrofitJob) done() error {
	if err := os.RemoveAll(j.work.dir); err != nil {
		return fmt.Errorf("the result is complete, but its work folder stays: %w", err)
	}
	return nil
}

// open reads the model and the text, and divides that.
func (j *retrofitJob) open(ctx context.Context) (err error) {
	if j.ckpt, err = safetensors.OpenCheckpoint(j.model); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			j.ckpt.Close()
		}
	}()
	if j.m, err = family.Load(j.ckpt); err != nil {
		return err
	}
	if j.turns, err = retrofit.Turns(j.m); err != nil {
		return err
	}
	f := j.flags
	usual := min(j.plan.Encoding.TrainLength, longestDefault)
	longest := 0
	if f.budget != nil {
		j.selectLength = orElse(f.selectLength, usual)
		longest = j.selectLength
		j.planes, err = retrofit.Below(j.turns, j.plan.Rewrite().Unscaled, j.options.Cut, j.plan.Encoding.TrainLength)
		if err != nil {
			return err
		}
	}
	if f.calibrate {
		j.calibLength = orElse(f.calibLength, usual)
		longest = max(longest, j.calibLength)
	}
	if err := retrofit.SameAt(j.m, longest, j.m.MaxPositions, 2*j.m.TrainedLength); err != nil {
		return fmt.Errorf("--select and --calibrate: %w", err)
	}
	ids, err := f.read(ctx, j.ckpt.Dir, j.m.Vocab)
	if err != nil {
		return err
	}
	if j.text, err = ids.divide(longest, f.measureTokens); err != nil {
		return err
	}
	if f.calibrate {
		want := orElse(f.calibTokens, min(max(16384, 4*j.calibLength), len(j.text.fit)))
		if want > len(j.text.fit) {
			return fmt.Errorf("the text has %d tokens, of which %d are measured on: --calib-tokens %d asks for more than the rest; give more text", len(j.text.ids), len(j.text.ids)-len(j.text.fit), want)
		}
		j.training = j.text.begun(retrofit.Repeat(retrofit.Sequences(j.text.fit, j.calibLength, want), f.copies, f.seed))
		j.result.Copies = f.copies
	}
	j.result.BOS = j.text.bos
	j.measure, err = newMeasurer(ctx, j.model, j.options, &f.textFlags, j.text.measure, folderFor(j.plan.Output), f.searches(), j.ui.step)
	if err != nil {
		return err
	}
	j.result.MeasuredBy = j.measure.source.Runner
	j.notes = append(j.notes, j.measure.notes()...)
	if f.calibrate {
		j.notes = append(j.notes, j.shortNotes()...)
	}
	return nil
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// calibrateOptions are those of every attempt.
func (j *retrofitJob) calibrateOptions() retrofit.CalibrateOptions {
	steps := j.flags.steps
	if steps == 0 {
		steps = 96
		if j.calibLength > 4096 {
			steps = 192
		}
	}
	return retrofit.CalibrateOptions{Steps: steps, Seed: j.flags.seed, Folder: j.work.dir, Progress: j.tell}
}

func (j *retrofitJob) tell(p retrofit.Progress) { j.ui.step(stageText(p)) }

// expect fills in and prints how long it will take.
func (j *retrofitJob) expect() error {
	rate := bestRate()
	e := &j.estimate
	f := j.flags
	passes := 2 // the source's and the result's
	if f.budget != nil {
		e.Costs = costsTime(j.m, j.text.costs(j.selectLength), len(j.planes), 40, rate)
		if f.searches() {
			passes = 1 + retrofit.MostTrials
			if f.calibrate {
				passes++
			}
		}
	}
	if f.calibrate {
		student, err := convert.Students(j.m, j.plan.Rewrite())
		if err != nil {
			return err
		}
		e.Calibrate = fitTime(j.m, j.turns, student, j.training, j.calibrateOptions(), rate)
	}
	e.measurements = passes
	e.Measure = float64(passes) * measureTime(j.m, j.text.measure, j.measure.source.Runner, rate)
	if !j.ui.quiet {
		for _, n := range j.notes {
			j.ui.note("note: " + n)
		}
		j.ui.note(e.String())
	}
	return nil
}

// shortNotes say which of the calibration's lengths are left out.
func (j *retrofitJob) shortNotes() []string {
	var list []string
	for _, part := range []struct {
		of   int
		name string
	}{{4, "a quarter"}, {16, "a sixteenth"}} {
		n := j.calibLength / part.of
		if slices.ContainsFunc(j.training, func(s []int64) bool { return len(s) == n }) {
			continue
		}
		why := "too short to fit attention on"
		if n >= retrofit.Shortest {
			why = "the text has no tokens left for them"
		}
		list = append(list, fmt.Sprintf("the calibration reads no sequences of %d positions, %s of --calib-length %d: %s", n, part.name, j.calibLength, why))
	}
	return list
}

func (j *retrofitJob) run(ctx context.Context) error {
	if err := j.expect(); err != nil {
		return err
	}
	if j.flags.budget != nil {
		if err := j.choose(ctx); err != nil {
			return err
		}
	}
	if j.flags.calibrate {
		if err := j.calibrate(ctx); err != nil {
			return err
		}
	}
	measured := (*retrofit.Measured)(nil)
	if s := j.result.Selection; s != nil && j.result.Calibration == nil {
		measured = s.Measured
	}
	if measured == nil {
		m, err := j.measure.of(ctx, &j.result)
		if err != nil {
			return fmt.Errorf("measure: %w", err)
		}
		measured = &m
	}
	j.result.Measured = measured
	n := tokenCount(j.text.measure)
	j.result.Texts = append(j.result.Texts, j.text.uses(len(j.text.ids)-n, n, "measure")...)
	return j.judge()
}

// choose selects the planes, or takes the selection that an interrupted run
// made.
func (j *retrofitJob) choose(ctx context.Context) error {
	f := j.flags
	sequences := j.text.costs(j.selectLength)
	fingerprint, err := retrofit.Contents(j.m, j.ckpt)
	if err != nil {
		return err
	}
	key, err := keyOf(fingerprint, j.plan.Encoding.Planes, j.planes, f.budget, f.by, f.seed, sequences, j.text.measure)
	if err != nil {
		return err
	}
	s, err := j.work.load(key, j.turns)
	if err != nil {
		return err
	}
	if s == nil {
		c, err := retrofit.MeasureCosts(ctx, j.m, j.ckpt, ref.NewWalk(j.m, j.ckpt), sequences, j.planes, retrofit.CostOptions{Seed: f.seed, Progress: j.tell})
		if err != nil {
			return err
		}
		var measure retrofit.Measure
		if f.searches() {
			measure = func(ctx context.Context, s *retrofit.Selection) (retrofit.Measured, error) {
				return j.measure.of(ctx, &convert.Retrofit{Selection: s})
			}
		}
		s, err = retrofit.Select(ctx, c, j.turns, measure, retrofit.SelectOptions{Budget: *f.budget, Granularity: f.by, Force: f.overBudget, Progress: j.tell})
		if err != nil {
			return err
		}
		if f.calibrate {
			if err := j.work.save(key, s); err != nil {
				return err
			}
		}
	}
	j.result.Selection = s
	j.result.Texts = append(j.result.Texts, j.text.uses(0, tokenCount(sequences), "costs")...)
	return nil
}

// calibrate refits the layers to what the conversion turns by.
func (j *retrofitJob) calibrate(ctx context.Context) error {
	o := j.options
	o.Retrofit = &convert.Retrofit{Selection: j.result.Selection}
	plan, err := convert.NewPlan(j.model, o)
	if err != nil {
		return err
	}
	student, err := convert.Students(j.m, plan.Rewrite())
	if err != nil {
		return err
	}
	c, err := retrofit.Calibrate(ctx, j.m, j.ckpt, ref.NewWalk(j.m, j.ckpt), student, j.training, j.calibrateOptions())
	if err != nil {
		return err
	}
	j.result.Calibration = c
	j.result.Texts = append(j.result.Texts, j.text.uses(0, tokenCount(j.training), "calibrate")...)
	return nil
}

// judge refuses a result over the budget.
func (j *retrofitJob) judge() error {
	limit, m := j.flags.limit, *j.result.Measured
	j.result.MeasuredLength = len(j.text.measure[0])
	if limit == nil {
		return nil
	}
	j.result.Budget, j.result.OverBudget = limit.String(), !limit.Holds(m)
	if !j.result.OverBudget || j.flags.overBudget {
		return nil
	}
	hint := "more --steps or --calib-tokens, or fewer planes (--select) may help"
	if j.result.Calibration == nil {
		hint = "a larger budget or --calibrate may help"
	}
	return fmt.Errorf("the result is %s at %d positions, %w %s; %s, and --over-budget writes it all the same", drift(m), len(j.text.measure[0]), retrofit.ErrBudget, limit, hint)
}

// drift says what a measurement found.
func drift(m retrofit.Measured) string {
	return fmt.Sprintf("perplexity %.5g against the source's %.5g (%+.2f%%), KL %.3g nats", m.PPL, m.SourcePPL, 100*(m.PPL/m.SourcePPL-1), m.KL)
}
