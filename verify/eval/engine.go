package eval

import (
	"context"
	"math"

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
	own.Length = max(own.Length, o.Longest)
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

func (m *meter) Reach(ctx context.Context, dir string, whole []int64, pieces [][]int64, progress func(done, total int)) (retrofit.Reached, error) {
	size := len(pieces[0])
	r := retrofit.Reached{Length: len(whole), Piece: size}
	o := m.options
	o.Length = len(whole)
	candidate, err := Open(ctx, dir, o)
	if err != nil {
		return r, err
	}
	defer candidate.Close()
	total, done := 2*len(whole), 0
	tell := func(n int) {
		done += n
		progress(done, total)
	}
	if err := candidate.check([][]int64{whole}); err != nil {
		return r, err
	}
	all, err := scoreAll(ctx, []*Model{candidate}, -1, [][]int64{whole}, tell)
	if err != nil {
		return r, err
	}
	own, err := scoreAll(ctx, []*Model{m.source}, -1, pieces, tell)
	if err != nil {
		return r, err
	}
	r.PPL, r.SourcePPL = beside(all[0][0], own[0], size, len(whole))
	r.Bands = reached(all[0][0], own[0], size)
	return r, nil
}

// beside is the perplexity of a text's tokens from one position on, before another, that a
// source which reads it in pieces is held against: before the end of its first piece all of
// them, later those in the second halves of the pieces; and the source's of the same.
func beside(whole Trace, pieces []Trace, from, to int) (ppl, source float64) {
	size := len(pieces[0].NLL) + 1
	var sums [2]float64
	n := 0
	for i := from; i < min(to, len(whole.NLL)); i++ {
		k, at := i/size, i%size
		if at == size-1 || k > 0 && at < size/2 { // what follows its last token no piece says
			continue
		}
		sums[0] += whole.NLL[i]
		sums[1] += pieces[k].NLL[at]
		n++
	}
	return math.Exp(sums[0] / float64(n)), math.Exp(sums[1] / float64(n))
}

// reached are the ranges of positions: those of buckets up to the end of the first piece,
// and doubled from there on.
func reached(whole Trace, pieces []Trace, size int) []retrofit.ReachedBand {
	edges := []int{}
	for b := 0; bucketStart(b) < size; b++ {
		edges = append(edges, bucketStart(b))
	}
	n := len(whole.NLL)
	for at := size; at < n; at *= 2 {
		edges = append(edges, at)
	}
	var list []retrofit.ReachedBand
	for i, from := range edges {
		to := n
		if i+1 < len(edges) {
			to = edges[i+1]
		}
		ppl, source := beside(whole, pieces, from, to)
		list = append(list, retrofit.ReachedBand{From: from, To: to - 1, PPL: math.Exp(mean(whole.NLL[from:to])), SourcePPL: source, OfSource: ppl / source})
	}
	return list
}

func (m *meter) Close() error { return m.source.Close() }
