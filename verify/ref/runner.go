package ref

import (
	"context"
	"fmt"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
)

// The parts of a float64 pass, and of one in float32.
type (
	Runner    = RunnerOf[float64]
	Options   = OptionsOf[float64]
	Output    = OutputOf[float64]
	Runner32  = RunnerOf[float32]
	Options32 = OptionsOf[float32]
	Output32  = OutputOf[float32]
	Input32   = InputOf[float32]
	Cache32   = CacheOf[float32]
)

// RunnerOf computes a model's forward pass in T. Its methods may be used from
// several goroutines.
type RunnerOf[T Float] struct {
	model *family.Model
	src   family.Source

	roundTables bool // cos and sin are rounded to float32
	// observe, where set, is given the inputs of every linear map, (n, in), before it is
	// computed, and says whether its outputs are of no use.
	observe func(l *family.Linear, x []T) (skip bool, err error)

	exps Exponentials // of layers whose heads turn in bases of their own

	embedOnce, byLayerOnce sync.Once
	embedErr, byLayerErr   error
}

// New returns the reference: a float64 runner of the model whose tensors src
// holds.
func New(m *family.Model, src family.Source) *Runner { return &Runner{model: m, src: src} }

// New32 returns the same forward pass in float32: weights are rounded to it once
// (those of shorter types are exact), products are blas32's, and every
// activation and every sum is a float32. Cosines, sines and the terms of biases
// are computed in float64 and rounded. It is what the model does in that
// precision when nothing is done cleverly, the measure of an error budget.
func New32(m *family.Model, src family.Source) *Runner32 { return &Runner32{model: m, src: src} }

// OptionsOf choose what a forward pass keeps and reports; the zero value asks for
// all logits and nothing else.
type OptionsOf[T Float] struct {
	// KeepHidden asks for Output.Hidden.
	KeepHidden bool
	// LogitsFrom is the first of the S tokens whose logits are computed. A
	// negative number counts from the end (-1: the last token alone), S or more
	// asks for none.
	LogitsFrom int
	// Tap, where set, is given the value of every node in the order of
	// computation; names are listed with Forward. The slice is reused once Tap
	// returns.
	Tap func(name string, values []T, shape []int)
	// Choices, where set, is told of every token's routing in every mixture, and how
	// near it is to being another.
	Choices func(Choice)
	// Progress, where set, is called after the embedding, after each layer and
	// after the head: done counts from 1 to total.
	Progress func(done, total int)
}

// OutputOf is the result of a forward pass.
type OutputOf[T Float] struct {
	// Batch is B; From and Seq say that logits are those of tokens [From, Seq).
	Batch, Seq, From, Vocab int
	// Logits have shape (B, Seq − From, Vocab).
	Logits []T
	// Final is the residual stream after the final norm, (B, Seq, hidden).
	Final []T
	// Hidden, if asked for, has one (B, Seq, hidden) slice per layer and one
	// more: 0 is the embedding (after its norm), i the output of layer i, and the last one has
	// passed the final norm. A block with a shortcut has none, as it is half of a
	// layer.
	Hidden [][]T
	// Cache holds the past and the current tokens.
	Cache *CacheOf[T]
}

// LogitsAt returns the logits of one token; it panics if they were not asked
// for.
func (o *OutputOf[T]) LogitsAt(row, token int) []T {
	at := (row*(o.Seq-o.From) + token - o.From) * o.Vocab
	return o.Logits[at : at+o.Vocab]
}

// scratch is what one pass reuses from layer to layer.
type scratch[T Float] struct {
	normed, q, k, v, context, attn, gate, up []T
	gathered, expert, mixed                  []T
	decoded, scores                          buffers[T]
	packed                                   []packedHead[T]
}

func newScratch[T Float]() *scratch[T] {
	return &scratch[T]{decoded: make(buffers[T], workerCount()), scores: make(buffers[T], workerCount())}
}

func room[T Float](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	return (*s)[:n]
}

// Forward runs the model on the input. Errors: an input whose shapes disagree
// or whose token id is outside the vocabulary, a weight that is missing or not
// finite (named with its element), and the context's end. A position beyond any
// declared length is no error.
//
// The names given to Options.Tap (package names has them) are, with their shapes,
// "/embed" (B, S, hidden), "/embed_norm" where the family has one, and for layer i
//
//	/layers.i/attn_norm        (B, S, hidden), where there is one
//	/layers.i/attn/phase       (B, S, phases): Φ, where the phase is contextual
//	/layers.i/attn/q_proj      (B, S, heads, head size); k_proj, v_proj likewise
//	/layers.i/attn/k_shift     the same, with KV-shift; v_shift likewise
//	/layers.i/attn/q_norm      the same, where the family has one (after q_rotated
//	                           where it comes after the rotation); k_norm likewise
//	/layers.i/attn/v_norm      the same of values
//	/layers.i/attn/q_basis     the same in the basis of the head, where constants are
//	                           rounded as a graph's (Rounded); k_basis likewise
//	/layers.i/attn/q_rotated   the same, where anything turns; k_rotated likewise
//	/layers.i/attn/q_scaled    the queries times the factor of their position, where
//	                           there is one
//	/layers.i/attn/context     (B, S, heads, head size): softmax(scores) v
//	/layers.i/attn/head_norm   the same, where the family has one
//	/layers.i/attn/gate_proj   (B, S, heads·head size) or (B, S, heads), where the
//	                           output is gated
//	/layers.i/attn/gated       (B, S, heads, head size): the output times its gate
//	/layers.i/attn/o_proj      (B, S, hidden)
//	/layers.i/attn/q_down_proj     (B, S, rank), and q_latent_norm: latent attention's
//	/layers.i/attn/kv_down_proj    (B, S, rank), and kv_latent_norm, kv_latent_scaled
//	/layers.i/attn/k_turned_proj   (B, S, turned): the slice that all keys share
//	/layers.i/attn/k_joined        (B, S, heads, head size): it, and k_proj of each head
//	/layers.i/conv/in_proj     (B, S, 3·hidden), in the place of attention's
//	/layers.i/conv/taps        (B, S, hidden): the convolution
//	/layers.i/conv/mixed       the same, times its gate
//	/layers.i/conv/out_proj    (B, S, hidden)
//	/layers.i/mamba/in_proj    (B, S, …): z, x, B, C and dt, in its place or beside it
//	/layers.i/mamba/taps       (B, S, …): the convolution of x, B and C
//	/layers.i/mamba/mixed      (B, S, inner): the outputs of the recurrence
//	/layers.i/mamba/norm       the same, where a norm is of all of it
//	/layers.i/mamba/gated      the same, after norm and gate
//	/layers.i/mamba/out_proj   (B, S, hidden)
//	/layers.i/delta/in_proj    (B, S, channels), in the place of attention's; or
//	                           q_proj, k_proj, v_proj
//	/layers.i/delta/mixed      the same: silu of the convolution
//	/layers.i/delta/a_proj     (B, S, heads); b_proj likewise
//	/layers.i/delta/context    (B, S, heads, value size): what is read of the states
//	/layers.i/delta/norm       the same
//	/layers.i/delta/z_proj     (B, S, heads·value size)
//	/layers.i/delta/gated      the same: the norm times silu of z_proj
//	/layers.i/delta/out_proj   (B, S, hidden)
//	/layers.i/attn_out_norm    the same, where there is one
//	/layers.i/attn_residual    (B, S, hidden); absent in a parallel block
//	/layers.i/mlp_norm         (B, S, hidden), where there is one
//	/layers.i/mlp/gate_proj    (B, S, inner), where gated
//	/layers.i/mlp/up_proj      (B, S, inner)
//	/layers.i/mlp/act          (B, S, inner): what enters down_proj, or its norm
//	/layers.i/mlp/down_norm    the same, where there is one
//	/layers.i/mlp/down_proj    (B, S, hidden)
//	/layers.i/mlp/router       (B, S, experts): its logits, where there is a mixture
//	/layers.i/mlp/shared/...   as of an MLP, of the shared expert
//	/layers.i/mlp/experts      (B, S, hidden): the sum of those chosen
//	/layers.i/mlp_out_norm     the same, where there is one
//	/layers.i/mlp_residual     (B, S, hidden), where the layer has an embedding of its own
//	/layers.i/per_layer/gate   (B, S, size), and per_layer: its activation times the embedding
//	/layers.i/per_layer/out_proj   (B, S, hidden), and per_layer/norm
//	/layers.i/unscaled         (B, S, hidden), where the layer has a number that
//	                           multiplies it
//	/layers.i/output           (B, S, hidden)
//
// and at last "/final_norm" (B, S, hidden), "/head_dense" and "/head_dense_norm"
// (B, Seq − From, hidden), where the head has them, and "/logits" (B, Seq − From,
// vocab).
//
// Embeddings by layer are "/by_layer/embed", "/by_layer/proj" and "/by_layer/norm" (B, S,
// layers, size), before the layers.
func (r *RunnerOf[T]) Forward(ctx context.Context, input InputOf[T], opts OptionsOf[T]) (*OutputOf[T], error) {
	out, err := r.forward(ctx, input, opts)
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	return out, nil
}

// known are the parts of a model, beyond llama's, that are computed; a new one
// must not be passed over.
var known = family.Settled()

func (r *RunnerOf[T]) forward(ctx context.Context, input InputOf[T], opts OptionsOf[T]) (*OutputOf[T], error) {
	m := r.model
	if err := m.Beyond(known...); err != nil {
		return nil, err
	}
	in, err := input.check(m)
	if err != nil {
		return nil, err
	}
	out := &OutputOf[T]{Batch: in.rows, Seq: in.seq, Vocab: m.Vocab, From: opts.LogitsFrom,
		Cache: &CacheOf[T]{Batch: in.rows, Length: in.total(), Positions: in.at}}
	if out.From < 0 {
		out.From += in.seq
	}
	out.From = min(max(out.From, 0), in.seq)
	p := &pass[T]{RunnerOf: r, in: in, past: input.Past, opts: opts, out: out, work: newScratch[T](), total: len(m.Blocks) + 2}
	if err := p.embed(ctx); err != nil {
		return nil, err
	}
	for i := range m.Blocks {
		if err := p.layer(ctx, i); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		if err := p.keep(i + 1); err != nil {
			return nil, err
		}
		p.step()
	}
	if err := p.head(ctx); err != nil {
		return nil, err
	}
	p.step()
	return out, nil
}
