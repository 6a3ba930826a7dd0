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
	// begin starts a sequence of so many tokens.
	begin(tokens int)
	// next continues it with these tokens. The logits may be overwritten by what follows.
	next(ctx context.Context, ids []int64) (logits, error)
	// limit is the longest sequence that it can run.
	limit() int
	// scores tells whether a piece has a tensor of scores of all its tokens with all
	// keys, of every head.
	scores() bool
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

func (g *graphRunner) begin(tokens int) { g.graph.Begin(tokens) }
func (g *graphRunner) limit() int       { return g.graph.MaxLength() }
func (g *graphRunner) scores() bool     { return !g.graph.InPlace() }

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

func (r *refRunner) begin(int)    { r.past = nil }
func (r *refRunner) limit() int   { return math.MaxInt } // it has no tables
func (r *refRunner) scores() bool { return false }       // of a block of queries
func (r *refRunner) close()       {}

func (r *refRunner) next(ctx context.Context, ids []int64) (logits, error) {
	out, err := r.r.Forward(ctx, ref.InputOf[float32]{IDs: [][]int64{ids}, Past: r.past}, ref.OptionsOf[float32]{})
	if err != nil {
		return logits{}, err
	}
	r.past = out.Cache
	return logits{vocab: out.Vocab, data: out.Logits}, nil
}

// pieceSize is how many tokens of sequences of n run at once in all of the models, which
// have begun one: Options.Chunk, else what leaves logits, and scores where there is
// a tensor of them, at pieceBytes.
func pieceSize(models []*Model, n int) int {
	chunk := defaultChunk
	for _, m := range models {
		if m.opts.Chunk > 0 {
			return m.opts.Chunk
		}
		chunk = min(chunk, pieceBytes/(bytesEach*m.Vocab))
		if m.run == nil || !m.run.scores() { // nil: what it said is remembered
			continue
		}
		// Each piece copies the cache: scores may be a share of it.
		room := max(pieceBytes, m.cacheBytes(n)/8)
		for _, a := range m.loaded.Attentions() {
			chunk = min(chunk, int(room/int64(bytesEach*a.Heads*n)))
		}
	}
	return max(1, chunk)
}
