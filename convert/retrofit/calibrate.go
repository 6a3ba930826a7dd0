package retrofit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/pecvt/pecvt/convert/family"
)

// CalibrateOptions say how layers are refitted.
type CalibrateOptions struct {
	// Steps per layer; 0 is 96. At 8192 positions take 3000. Layers that copy have
	// twice as many.
	Steps int `json:"steps"`
	// Rows are query rows per step; 0 is 96.
	Rows int `json:"rows"`
	// Rate is the learning rate in units of std(W); 0 is 0.12. A layer that it
	// does not help is tried again at a quarter of it, at a sixteenth and at a 64th.
	Rate float64 `json:"rate"`
	// Fit is what is fitted, of [Fits]; empty is FitWeights.
	Fit string `json:"fit,omitempty"`
	// Together has every step take one sequence of each length and sum their
	// gradients, weighted as the steps would be; without it the lengths take
	// turns. A step costs more and is less noisy, which short contexts feel.
	Together bool `json:"together,omitempty"`
	// Balance, from 0 to 1, is how much more lengths count whose attention hardly
	// changes: a length's loss is weighted by its KL before calibration to the
	// power of −Balance. It needs Together: in turns, weights that differ are
	// noise to Adam and leave every length worse.
	Balance float64 `json:"balance,omitempty"`
	// Extend, where above 1, has a third of the steps fit attention at up to Extend
	// times Trained positions, Trained being how many the source was trained at: on the
	// sequences one behind the other, to what the source would do there if planes that
	// turn at most once over Trained took greater distances for Trained − 1.
	Extend  int `json:"extend,omitempty"`
	Trained int `json:"trained,omitempty"`
	// Seed draws sequences and rows.
	Seed uint64 `json:"seed"`
	// Folder holds what is done: each layer's new tensors and its report. A run
	// that finds a part of the same work there goes on behind it.
	Folder string `json:"-"`
	// Progress may be nil.
	Progress func(Progress) `json:"-"`
}

func (o CalibrateOptions) defaults() CalibrateOptions {
	if o.Steps == 0 {
		o.Steps = 96
	}
	if o.Rows == 0 {
		o.Rows = 96
	}
	if o.Rate == 0 {
		o.Rate = 0.12
	}
	if o.Fit == FitWeights { // one name of the same work
		o.Fit = ""
	}
	return o
}

// LayerReport is what became of one layer.
type LayerReport struct {
	Layer int `json:"layer"`
	// Before and After are the attention KL in nats on held-out rows, the mean
	// over lengths with the weights of the loss, with the source's weights and
	// with the fitted ones as they are stored.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// ByLength are the plain means of each length, longest first.
	ByLength []LengthKL `json:"by_length"`
	// Copying is the source's attention at second occurrences to what came behind the
	// first, its mean in the head that has most; Steps is how many the layer had: more
	// than others if it copies.
	Copying float64 `json:"copying"`
	Steps   int     `json:"steps"`
	// Rate is the learning rate that was used, in units of std(W).
	Rate float64 `json:"rate"`
	// Kept reports whether the new weights are used: After < Before.
	Kept bool `json:"kept"`
}

// LengthKL is a layer's mean attention KL in nats on sequences of one length.
type LengthKL struct {
	Length int     `json:"length"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Calibration is the outcome, as the manifest keeps it.
type Calibration struct {
	Options CalibrateOptions `json:"options"`
	// Lengths are those of the sequences, Fingerprint names source, text, target
	// and options.
	Lengths     []int  `json:"lengths"`
	Fingerprint string `json:"fingerprint"`
	// Target is Hash of the rotation that was fitted to.
	Target string `json:"target"`
	// Layers are those whose rotation changes.
	Layers []LayerReport `json:"layers"`
	// Files are safetensors files whose tensors replace the source's of the same
	// name, dtype and shape.
	Files []string `json:"-"`
}

// Calibrate refits W_q and W_k, and their biases, of every layer whose student
// places positions otherwise than the source, so that its attention is the
// source layer's own on sequences of token ids. Every layer reads the source's
// residual stream, so that layers are independent of each other.
//
// The new tensors are in Calibration.Files, in the source's dtypes and layouts.
// The same input gives the same bytes, on any number of cores and however often
// it was interrupted. Memory holds one layer's weights, its gradients and their
// moments, and the residual stream and h of every sequence.
func Calibrate(ctx context.Context, m *family.Model, src family.Source, walk Walk, student []Turn, sequences [][]int64, o CalibrateOptions) (*Calibration, error) {
	o = o.defaults()
	job, err := newJob(m, src, walk, student, sequences, o)
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	c, err := job.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	return c, nil
}

type job struct {
	m               *family.Model
	src             family.Source
	walk            Walk
	source, student []Turn
	sequences       [][]int64
	o               CalibrateOptions
	state           *state
	streams         *streams // nil until a layer is fitted
	shared          bool     // other workers fit layers of the same work
	begin           time.Time
	// work done by this run and all of it, in flops
	done, total float64
}

func newJob(m *family.Model, src family.Source, walk Walk, student []Turn, sequences [][]int64, o CalibrateOptions) (*job, error) {
	source, err := Turns(m)
	if err != nil {
		return nil, err
	}
	if err := writable(m, src); err != nil {
		return nil, err
	}
	switch {
	case len(student) != len(source):
		return nil, fmt.Errorf("%d layers of the target, the source has %d", len(student), len(source))
	case len(sequences) == 0:
		return nil, fmt.Errorf("the text is too short: it gives no sequence")
	case o.Balance != 0 && !o.Together:
		return nil, fmt.Errorf("balance %v without Together: lengths that take turns weigh the same", o.Balance)
	case o.Steps < 0 || o.Rows < 1 || !(o.Rate > 0) || !(o.Balance >= 0 && o.Balance <= 1):
		return nil, fmt.Errorf("%d steps of %d rows at rate %v, balance %v: expected positive numbers and a balance from 0 to 1", o.Steps, o.Rows, o.Rate, o.Balance)
	case o.Folder == "":
		return nil, fmt.Errorf("no folder to work in")
	case o.Extend < 0 || o.Extend > 1 && o.Trained < Shortest:
		return nil, fmt.Errorf("an extension to %d times %d positions: expected a positive number of at least %d", o.Extend, o.Trained, Shortest)
	}
	if err := o.Enough(sequences); err != nil {
		return nil, err
	}
	if err := CanFit(m, o.Fit); err != nil {
		return nil, err
	}
	for i, s := range sequences {
		if len(s) < heldOutOf {
			return nil, fmt.Errorf("sequence %d has %d tokens: expected at least %d", i, len(s), heldOutOf)
		}
	}
	for i := range source {
		if a, b := source[i].InvFreq, student[i].InvFreq; len(a) != len(b) || len(a[0]) != len(b[0]) {
			return nil, fmt.Errorf("layer %d: a target of %d heads with %d planes, the source has %d with %d", i, len(b), len(b[0]), len(a), len(a[0]))
		}
	}
	j := &job{m: m, src: src, walk: walk, source: source, student: student, sequences: sequences, o: o, begin: time.Now()}
	print, err := j.fingerprint()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Folder, 0o777); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	j.state = &state{folder: o.Folder, fingerprint: print}
	j.total = Flops(m, source, student, sequences, o)
	return j, nil
}

func (j *job) run(ctx context.Context) (*Calibration, error) {
	c := &Calibration{Options: j.o, Fingerprint: j.state.fingerprint, Target: Hash(j.student), Layers: []LayerReport{}}
	for _, s := range j.sequences {
		c.Lengths = append(c.Lengths, len(s))
	}
	j.state.dropStreams()              // whoever shared them is done
	finished := map[int]*LayerReport{} // all are read before any is fitted
	for i := range j.m.Blocks {
		report, err := j.state.load(i)
		if err != nil {
			return nil, err
		}
		finished[i] = report
	}
	for i := range j.m.Blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		report := finished[i]
		if report == nil && !j.source[i].Same(&j.student[i]) {
			var err error
			if report, err = j.fit(ctx, i); err != nil {
				return nil, err
			}
		}
		if report != nil {
			c.Layers = append(c.Layers, *report)
			if report.Kept {
				c.Files = append(c.Files, j.state.tensorPath(i))
			}
		}
	}
	return c, nil
}

// fit leads the streams to a layer, from the front where they are behind it, and fits it.
func (j *job) fit(ctx context.Context, layer int) (*LayerReport, error) {
	if j.streams == nil || j.streams.layer > layer {
		st, err := newStreams(ctx, j.walk, j.m.Hidden, j.sequences)
		if err != nil {
			return nil, err
		}
		j.streams = st
	}
	for j.streams.layer < layer {
		if j.shared && j.takeFurthest(layer) {
			continue
		}
		j.done += LayerFlops(j.m, j.streams.layer, j.sequences)
		if err := j.streams.advance(ctx); err != nil {
			j.streams = nil // some of its sequences are a layer further
			return nil, err
		}
		if j.shared {
			j.state.shareStream(j.streams)
		}
	}
	report, err := j.layer(ctx, j.streams, layer)
	if err != nil {
		return nil, fmt.Errorf("layer %d: %w", layer, err)
	}
	return report, nil
}

// takeFurthest leads the streams on by what another worker left, at most to a layer.
func (j *job) takeFurthest(layer int) bool {
	for to := layer; to > j.streams.layer; to-- {
		if j.state.takeStream(j.streams, to) {
			return true
		}
	}
	return false
}

// layer fits one layer and stores the outcome.
func (j *job) layer(ctx context.Context, st *streams, i int) (*LayerReport, error) {
	shape, err := shapeOf(j.m, j.src, i)
	if err != nil {
		return nil, err
	}
	original, err := weightsOf(j.m, j.src, i)
	if err != nil {
		return nil, err
	}
	longest := longestOf(j.sequences)
	far := j.o.joined(j.sequences)
	if far != nil {
		longest = max(longest, far.length)
	}
	fitted := original.Clone()
	pair := NewPair(NewLayer(shape, original, &j.source[i], longest), NewLayer(shape, fitted, &j.student[i], longest))
	if far != nil {
		pair.away = newAway(pair.source, j.o.Trained, longest)
	}
	f := &fit{job: j, layer: i, shape: shape, original: original, fitted: fitted, pair: pair, far: far,
		rng: rand.New(rand.NewPCG(j.o.Seed, uint64(i)))}
	for s := range j.sequences {
		h, err := st.input(s)
		if err != nil {
			return nil, err
		}
		f.add(h)
	}
	if far != nil {
		own := f.h
		for range farCount {
			f.add(join(own, shape.Hidden, far.length, f.rng))
		}
	}
	report, out, err := f.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.state.save(i, report, out); err != nil {
		return nil, err
	}
	j.tell(i, report.Steps, report)
	return report, nil
}

func longestOf(sequences [][]int64) int {
	longest := 0
	for _, s := range sequences {
		longest = max(longest, len(s))
	}
	return longest
}

func (j *job) tell(layer, step int, r *LayerReport) {
	if j.o.Progress == nil {
		return
	}
	rest := -1.0
	if spent := time.Since(j.begin).Seconds(); j.done > 0 {
		rest = spent * (j.total - j.done) / j.done
	}
	j.o.Progress(Progress{Stage: "calibrate", Layer: layer + 1, Layers: len(j.m.Blocks), Step: step, Steps: r.Steps,
		Before: r.Before, After: r.After, Seconds: max(rest, 0)})
}
