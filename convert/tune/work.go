package tune

import (
	"context"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// work is a job under way.
type work struct {
	job    *Job
	plan   *convert.Plan // without a retrofit
	folder *folder

	ckpt  store.Store
	m     *family.Model
	turns []retrofit.Turn
	free  []retrofit.Turn // those that planes are dropped from: scaled, or the same
	text  *Text
	parts *Division
	tries *candidates

	selectLength, calibrateLength int
	planes                        []int
	training                      [][]int64

	estimate Estimate
	result   convert.Tuning
	notes    []string
}

// close frees what is open and takes temporary files away.
func (w *work) close() {
	if w.tries != nil {
		w.tries.close()
	}
	if w.ckpt != nil {
		w.ckpt.Close()
	}
}

// decide decides the conversion without a retrofit.
func (w *work) decide() (err error) {
	j := w.job
	if w.plan, err = convert.NewPlan(j.Model, j.Options); err != nil {
		return err
	}
	if kind := w.plan.Encoding.Kind; kind != rewrite.Lossy {
		return hint.Errorf("%s %s is %s here: %w", hint.To, j.Options.To, kind, ErrNothing)
	}
	if j.Options.Output == "" {
		j.Options.Output = w.plan.Output
	}
	w.folder = folderFor(w.plan.Beside())
	return nil
}

// plans decides too whether the target can be written, and takes the work folder.
func (w *work) plans() error {
	if err := w.decide(); err != nil {
		return err
	}
	j := w.job
	if err := w.plan.CheckTarget(j.Force); err != nil { // known before minutes of work
		return err
	}
	if err := w.folder.check(w.plan.Output); err != nil {
		return err
	}
	if j.Calibrate == nil { // nothing is kept
		return nil
	}
	return w.folder.take(w.plan.Output)
}

// read reads the model and the text, and divides that.
func (w *work) read(ctx context.Context) (err error) {
	j := w.job
	if w.ckpt, err = store.Open(j.Model); err != nil {
		return err
	}
	if w.m, err = families.LoadIgnoring(w.ckpt, j.Options.IgnoreKeys); err != nil {
		return err
	}
	if err := j.fits(w.m); err != nil {
		return err
	}
	if w.turns, err = retrofit.Turns(w.m); err != nil {
		return err
	}
	if w.free, err = convert.ScaledTurns(w.m, w.plan.Rewrite().Options); err != nil {
		return err
	}
	longest, err := w.lengths()
	if err != nil {
		return err
	}
	if w.text, err = j.Text.Tokens(ctx, w.ckpt.Root(), w.m.Vocab); err != nil {
		return err
	}
	if w.parts, err = w.text.Divide(longest, j.MeasureTokens); err != nil {
		return err
	}
	if j.Calibrate != nil {
		if err := w.train(); err != nil {
			return err
		}
	} else if reach := j.Options.Extend * w.plan.Encoding.TrainLength; reach > 0 && len(w.text.IDs)-reach >= w.selectLength {
		w.parts.reach(j.Options.Extend, w.plan.Encoding.TrainLength)
	}
	w.result.BOS = w.text.BOS
	return nil
}

// open reads, and readies the measurements.
func (w *work) open(ctx context.Context) error {
	j := w.job
	if err := w.read(ctx); err != nil {
		return err
	}
	if err := w.rehearse(); err != nil { // before the measurement's folder is there: one at a time
		return err
	}
	var err error
	w.tries, err = newCandidates(ctx, j.Engine, j.Model, j.Options, w.parts.Measured, w.piece(), j.Select.searches(), folderAbove(w.plan.Beside()), j.Progress)
	if err != nil {
		return err
	}
	w.result.MeasuredBy = w.tries.meter.Runner()
	w.notes = append(w.notes, w.tries.meter.Notes()...)
	w.notes = append(w.notes, w.leftOut()...)
	return nil
}

// fits decides what is fitted, and refuses to refit weights that are stored quantised and a
// basis that would not fold.
func (j *Job) fits(m *family.Model) error {
	if j.Calibrate == nil {
		return nil
	}
	if j.Calibrate.Fit == "" {
		j.Calibrate.Fit = retrofit.UsualFit(m)
	}
	if err := retrofit.CanFit(m, j.Calibrate.Fit); err != nil {
		return hint.Errorf("%s: "+hint.CalibrateFit+": %w", j.Model, err)
	}
	if m.Quantised == nil {
		return nil
	}
	for _, a := range m.Attentions() {
		for _, l := range []family.Linear{a.Q, a.K} {
			if t := m.Quantised.Tensors[l.Weight.Tensor]; t != nil {
				return hint.Errorf("%s: "+hint.Calibrate+": tensor %q is stored quantised (%s), and would have to be quantised anew after it is refitted: %w; "+hint.Select+" leaves the weights as they are, or calibrate the unquantised checkpoint", j.Model, l.Weight.Tensor, t.Format, posenc.ErrUnsupported)
			}
		}
	}
	return nil
}

// lengths decides the lengths that are worked at, and the candidates of a
// selection. The longest is also that of what is measured.
func (w *work) lengths() (longest int, err error) {
	usual := min(w.plan.Encoding.TrainLength, LongestDefault)
	if s := w.job.Select; s != nil {
		w.selectLength = orElse(s.Length, usual)
		longest = w.selectLength
		w.planes, err = retrofit.Below(w.free, w.plan.Rewrite().Unscaled, w.job.Options.Cut, w.plan.Encoding.TrainLength)
		if err != nil {
			return 0, err
		}
	}
	if c := w.job.Calibrate; c != nil {
		w.calibrateLength = orElse(c.Length, usual)
		longest = max(longest, w.calibrateLength)
	}
	if err := retrofit.SameAt(w.m, longest, w.m.MaxPositions, max(2, w.job.Options.Extend)*w.m.TrainedLength); err != nil {
		return 0, hint.Errorf("%s and %s: %w", hint.Select, hint.Calibrate, err)
	}
	return longest, nil
}

// train makes the sequences that the calibration reads.
func (w *work) train() error {
	c := w.job.Calibrate
	all, rest := len(w.text.IDs), len(w.parts.Fit)
	usual := usualTokens(w.calibrateLength)
	reach := w.job.Options.Extend * w.plan.Encoding.TrainLength
	if reach > 0 {
		usual = max(usual, reach+reach/8) // sequences are whole, and lose their first tokens
	}
	want := orElse(c.Tokens, min(usual, rest))
	if want <= all-reach && reach > 0 {
		w.parts.reach(w.job.Options.Extend, w.plan.Encoding.TrainLength)
	}
	if want > rest {
		return hint.Errorf("the text has %d tokens, of which %d are measured on: %s %d asks for more than the rest; give more text", all, all-rest, hint.CalibrateTokens, want)
	}
	w.training = w.text.begun(retrofit.Repeat(retrofit.Sequences(w.parts.Fit, w.calibrateLength, want), c.Copies, w.job.Seed))
	w.result.Copies = c.Copies
	if err := w.calibrateOptions().Enough(w.training); err != nil {
		return hint.Errorf("%w ("+hint.Extend+" %d); give more text, or more of it as "+hint.CalibrateTokens, err, w.job.Options.Extend)
	}
	return nil
}

// long is the length above which a calibration takes more tokens and steps: attention far
// away is what a cut costs most, and what is fitted slowest.
const long = 4096

// usualSteps and usualTokens are what a calibration at a length takes without being asked.
func usualSteps(length int) int {
	if length > long {
		return 3000
	}
	return 96
}

func usualTokens(length int) int {
	if length > long {
		return 16 * length
	}
	return max(16384, 8*length)
}

// piece is how long the pieces are that the source reads of what is reached, 0 without.
func (w *work) piece() int {
	if w.parts.Pieces == nil {
		return 0
	}
	return len(w.parts.Pieces[0])
}

// leftOut says which of the calibration's lengths are left out, and whether what is
// reached is not measured.
func (w *work) leftOut() []string {
	var list []string
	if n := w.job.Options.Extend * w.plan.Encoding.TrainLength; n > 0 && w.parts.Whole == nil {
		list = append(list, fmt.Sprintf("the text has no %d tokens beside those that the work reads: the result is measured at %d positions, and not at the %d that it is to reach", n, len(w.parts.Measured[0]), n))
	}
	if w.job.Calibrate == nil {
		return list
	}
	if l := w.plan.Encoding.TrainLength; w.job.Options.Extend > 0 && w.calibrateLength < l {
		list = append(list, fmt.Sprintf("%s %d is below the trained length %d: from there on attention is fitted on joined sequences alone", hint.CalibrateLength, w.calibrateLength, l))
	}
	for _, part := range []struct {
		of   int
		name string
	}{{4, "a quarter"}, {16, "a sixteenth"}} {
		n := w.calibrateLength / part.of
		if slices.ContainsFunc(w.training, func(s []int64) bool { return len(s) == n }) {
			continue
		}
		why := "too short to fit attention on"
		if n >= retrofit.Shortest {
			why = "the text has no tokens left for them"
		}
		list = append(list, fmt.Sprintf("the calibration reads no sequences of %d positions, %s of %s %d: %s", n, part.name, hint.CalibrateLength, w.calibrateLength, why))
	}
	return list
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// calibrateOptions are those of every attempt.
func (w *work) calibrateOptions() retrofit.CalibrateOptions {
	steps := w.job.Calibrate.Steps
	if steps == 0 {
		steps = usualSteps(w.calibrateLength)
	}
	trained := 0
	if w.job.Options.Extend > 0 {
		trained = w.plan.Encoding.TrainLength
	}
	return retrofit.CalibrateOptions{Steps: steps, Fit: w.job.Calibrate.Fit, Extend: w.job.Options.Extend, Trained: trained, Seed: w.job.Seed, Folder: w.folder.dir, Progress: w.job.Progress}
}

// expect fills in and tells how long it will take.
func (w *work) expect() error {
	j, e := w.job, &w.estimate
	here := thisMachine()
	e.Measurements = 2 // the source's and the result's
	if j.Select != nil {
		e.Costs = here.costs(w.m, w.parts.Costs(w.selectLength), len(w.planes))
		if j.Select.searches() {
			e.Measurements = 1 + retrofit.MostTrials
			if j.Calibrate != nil {
				e.Measurements++
			}
		}
	}
	if j.Calibrate != nil {
		student, err := convert.Students(w.m, w.plan.Rewrite())
		if err != nil {
			return err
		}
		e.Calibrate = here.fit(w.m, w.turns, student, w.training, w.calibrateOptions())
	}
	e.Measure = float64(e.Measurements) * here.measure(w.m, w.parts.Measured, w.tries.meter.Share())
	if w.parts.Whole != nil {
		e.Measurements++
		e.Measure += here.measure(w.m, [][]int64{w.parts.Whole}, w.tries.meter.Share()) + here.measure(w.m, w.parts.Pieces, w.tries.meter.Share())
	}
	if j.Expect != nil {
		j.Expect(*e, w.notes)
	}
	return nil
}
