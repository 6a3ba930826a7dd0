package eval

import (
	"context"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ref"
)

// runner computes the logits of one sequence at a time, piece by piece.
type runner interface {
	// begin starts a sequence.
	begin()
	// next continues it with these tokens. The logits may be overwritten by what follows.
	next(ctx context.Context, ids []int64) (logits, error)
	// limit is the longest sequence that it can run.
	limit() int
	close()
}

// logits are those of some tokens, (tokens, vocabulary).
type logits struct {
	vocab int
	data  []float32
}

// row copies the logits of token i into buf.
func (l *logits) row(i int, buf []float64) {
	for v, x := range l.data[i*l.vocab : (i+1)*l.vocab] {
		buf[v] = float64(x)
	}
}

// graphRunner runs an emitted graph in ONNX Runtime.
type graphRunner struct {
	graph *generate.Graph
	clean func() // removes what was made for it
}

func (g *graphRunner) begin()     { g.graph.Begin(0) }
func (g *graphRunner) limit() int { return g.graph.MaxLength() }

func (g *graphRunner) next(ctx context.Context, ids []int64) (logits, error) {
	l, err := g.graph.Next(ctx, ids)
	return logits{vocab: g.graph.Vocab(), data: l}, err
}

func (g *graphRunner) close() {
	g.graph.Close()
	g.clean()
}

// refRunner is the reference's forward pass in float32.
type refRunner struct {
	r    *ref.Runner32
	past *ref.CacheOf[float32]
}

func newRef(m *family.Model, src store.Store) *refRunner {
	return &refRunner{r: ref.New32(m, src)}
}

func (r *refRunner) begin()     { r.past = nil }
func (r *refRunner) limit() int { return math.MaxInt } // it has no tables
func (r *refRunner) close()     {}

func (r *refRunner) next(ctx context.Context, ids []int64) (logits, error) {
	out, err := r.r.Forward(ctx, ref.InputOf[float32]{IDs: [][]int64{ids}, Past: r.past}, ref.OptionsOf[float32]{})
	if err != nil {
		return logits{}, err
	}
	r.past = out.Cache
	return logits{vocab: out.Vocab, data: out.Logits}, nil
}
