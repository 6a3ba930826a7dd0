package generate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
)

// Options say how a text goes on.
type Options struct {
	// MaxTokens is how many tokens are made at most; 0 is DefaultTokens, or what the
	// graph's tables have room for where that is less.
	MaxTokens int
	// Ends are the tokens that end the text.
	Ends []int64
	// Sampling chooses among the logits; the zero value takes the largest.
	Sampling
	// Chunk is how many tokens of the prompt run at once; 0 is 256.
	Chunk int
}

// DefaultTokens is how many tokens are made where nothing else is asked for.
const DefaultTokens = 256

const defaultChunk = 256

// Why a text stopped.
const (
	StoppedAtEnd    = "end"    // one of Options.Ends, which is the last of the tokens
	StoppedAtLength = "length" // Options.MaxTokens
	// StoppedAtContext is a context that was cancelled: the tokens are those before it.
	StoppedAtContext = "interrupted"
)

// Result is what was made.
type Result struct {
	IDs     []int64
	Stopped string
	// Prefill is the time of the prompt, Decode that of Steps calls with one token each.
	Prefill, Decode time.Duration
	Steps           int
}

// Generate goes on from a prompt, and shows each token as it comes; an error of show
// ends it and comes back. Where the context is cancelled, its error comes with what was
// made until then. Errors: an empty prompt, one that does not fit into the graph's tables
// with MaxTokens, a logit that is not a number.
func (g *Graph) Generate(ctx context.Context, prompt []int64, o Options, show func(id int64) error) (*Result, error) {
	if len(prompt) == 0 {
		return nil, fmt.Errorf("generate: the prompt has no tokens: there is nothing to go on from")
	}
	most, err := g.most(len(prompt), o.MaxTokens)
	if err != nil {
		return nil, err
	}
	choose, err := newSampler(o.Sampling, g.vocab)
	if err != nil {
		return nil, err
	}
	if o.Chunk == 0 {
		o.Chunk = defaultChunk
	}
	g.Begin(len(prompt) + most)
	r := &Result{Stopped: StoppedAtLength, IDs: []int64{}}
	begin, took := time.Now(), &r.Prefill
	cut := func(err error) (*Result, error) {
		if ctx.Err() == nil {
			return nil, err
		}
		r.Stopped, *took = StoppedAtContext, time.Since(begin)
		return r, ctx.Err()
	}
	var logits []float32
	for piece := range slices.Chunk(prompt, o.Chunk) {
		if logits, err = g.Next(ctx, piece); err != nil {
			return cut(err)
		}
	}
	r.Prefill = time.Since(begin)
	begin, took = time.Now(), &r.Decode
	for {
		id, err := choose.next(logits[len(logits)-g.vocab:])
		if err != nil {
			return nil, fmt.Errorf("generate: token %d: %w", len(r.IDs), err)
		}
		r.IDs = append(r.IDs, id)
		if err := show(id); err != nil {
			return cut(err)
		}
		if slices.Contains(o.Ends, id) {
			r.Stopped = StoppedAtEnd
			break
		}
		if len(r.IDs) == most {
			break
		}
		if logits, err = g.Next(ctx, []int64{id}); err != nil {
			return cut(err)
		}
		r.Steps++
	}
	r.Decode = time.Since(begin)
	return r, nil
}

// most is how many tokens follow a prompt.
func (g *Graph) most(prompt, asked int) (int, error) {
	room := g.maxLength - prompt
	switch {
	case asked < 0:
		return 0, hint.Errorf("generate: "+hint.MaxTokens+" %d: expected 1 or more", asked)
	case g.maxLength == 0 && asked == 0:
		return DefaultTokens, nil
	case g.maxLength == 0:
		return asked, nil
	case room < 1:
		return 0, hint.Errorf("generate: a prompt of %d tokens: the graph's tables hold %d positions, and one is needed to go on; emit a graph with a larger "+hint.MaxLength+", or give a shorter prompt", prompt, g.maxLength)
	case asked == 0:
		return min(DefaultTokens, room), nil
	case asked > room:
		return 0, hint.Errorf("generate: a prompt of %d tokens and "+hint.MaxTokens+" %d are %d: the graph's tables hold %d positions; ask for %d at most, or emit a graph with a larger "+hint.MaxLength, prompt, asked, prompt+asked, g.maxLength, room)
	}
	return asked, nil
}
