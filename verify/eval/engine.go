package eval

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/recode"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/ref"
)

// Engine runs the models of package tune: it walks with the reference in float32
// and measures as [Model.Score] does. The zero value measures on the CPU, in ONNX
// Runtime where that can be loaded.
type Engine struct {
	// Options choose the runner; Length, TempDir and Remember are the job's.
	Options Options
}

var _ tune.RoundingEngine = Engine{}

// Walk is ref's.
func (Engine) Walk(m *family.Model, src family.Source) retrofit.Walk { return ref.NewWalk(m, src) }

// Watch is ref's too.
func (Engine) Watch(m *family.Model, src family.Source) recode.Walk { return ref.NewWalk(m, src) }

// rememberBytes is how much of the source's logits a series of measurements
// keeps on disk.
const rememberBytes = 4 << 30

// Meter opens the source. Errors are those of [Open].
func (e Engine) Meter(ctx context.Context, source string, o tune.MeterOptions) (tune.Meter, error) {
	m := &meter{options: e.Options, sequences: o.Sequences}
	m.options.Length, m.options.TempDir, m.options.Remember = len(o.Sequences[0]), o.Folder, 0
	own := m.options
	if o.Series {
		own.Remember = rememberBytes
	}
	var err error
	if m.source, err = Open(ctx, source, own); err != nil {
		return nil, err
	}
	return m, nil
}

type meter struct {
	options   Options
	sequences [][]int64
	source    *Model
}

func (m *meter) Runner() string { return m.source.Runner }

func (m *meter) Notes() []string {
	if m.source.Note == "" {
		return nil
	}
	return []string{"measured with the reference: " + m.source.Note}
}

// What a forward pass makes of the machine's best rate in ONNX Runtime and in
// the reference, measured on SmolLM2-135M.
const (
	runtimeShare   = 1.0
	referenceShare = 0.15
)

func (m *meter) Share() float64 {
	if m.source.Runner == RunnerRef {
		return referenceShare
	}
	return runtimeShare
}

func (m *meter) Measure(ctx context.Context, dir string, progress func(done, total int)) (retrofit.Measured, error) {
	candidate, err := Open(ctx, dir, m.options)
	if err != nil {
		return retrofit.Measured{}, err
	}
	defer candidate.Close()
	r, err := candidate.Score(ctx, m.sequences, ScoreOptions{Source: m.source, Progress: progress})
	if err != nil {
		return retrofit.Measured{}, err
	}
	return retrofit.Measured{PPL: float64(r.PPL), SourcePPL: float64(r.PPL) / float64(r.Ratio), KL: float64(r.KL)}, nil
}

func (m *meter) Close() error { return m.source.Close() }
