package run

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// Ref is the float64 forward pass of package ref as a Runner.
type Ref struct {
	r       *ref.Runner
	hidden  int
	choices func(ref.Choice)
}

// NewRef is the reference of a model, whose weights are read from src.
func NewRef(m *family.Model, src family.Source) *Ref {
	return &Ref{r: ref.New(m, src), hidden: m.Hidden}
}

// Rounded is ref with the constants of a graph (see ref.Runner.Rounded).
func (r *Ref) Rounded() *Ref { return &Ref{r: r.r.Rounded(), hidden: r.hidden} }

// Watched is ref, which tells f how near each choice of experts is to another.
func (r *Ref) Watched(f func(ref.Choice)) *Ref { return &Ref{r: r.r, hidden: r.hidden, choices: f} }

// Name is "ref".
func (r *Ref) Name() string { return RefName }

// Arithmetic is float64.
func (r *Ref) Arithmetic() report.Arithmetic { return report.Float64 }

// Positions is true.
func (r *Ref) Positions() bool { return true }

// Close does nothing.
func (r *Ref) Close() error { return nil }

// Run is one forward pass.
func (r *Ref) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	cache, err := r.Cache(ctx, past)
	if err != nil {
		return nil, nil, err
	}
	out, err := r.r.Forward(ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask, Past: cache}, ref.Options{Choices: r.choices})
	if err != nil {
		return nil, nil, err
	}
	return &report.Logits{B: out.Batch, S: out.Seq, V: out.Vocab, Data: out.Logits}, out.Cache, nil
}

// Forward is a pass with the options of package ref, after a state of Run.
func (r *Ref) Forward(ctx context.Context, in Input, past State, opts ref.Options) (*ref.Output, error) {
	cache, err := r.Cache(ctx, past)
	if err != nil {
		return nil, err
	}
	return r.r.Forward(ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask, Past: cache}, opts)
}

// Cache is what a state of Run or TakePast holds; nil where it is empty.
func (r *Ref) Cache(ctx context.Context, s State) (*ref.Cache, error) {
	if p, ok := s.(*Past); ok { // of latents
		return r.r.FromLatents(ctx, p.keys, p.length)
	}
	c, _ := s.(*ref.Cache)
	return c, nil
}

// TakePast makes a state of a past that no runner computed.
func (r *Ref) TakePast(p *Past) State {
	if p.latent {
		return p
	}
	c := &ref.Cache{Batch: 1, Length: p.length, Values: p.values, States: make([]ref.State, len(p.keys))}
	for i, keys := range p.keys {
		c.Keys = append(c.Keys, r.r.OwnKeys(i, keys))
	}
	for i := range p.length {
		c.Positions = append(c.Positions, int64(i))
	}
	return c
}

// Hidden returns the residual stream: 0 the embedding, i the output of layer
// i, the last one after the final norm.
func (r *Ref) Hidden(ctx context.Context, in Input) ([]*report.Logits, error) {
	b, s := in.Batch()
	out, err := r.r.Forward(ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask}, ref.Options{KeepHidden: true, LogitsFrom: s, Choices: r.choices})
	if err != nil {
		return nil, err
	}
	var list []*report.Logits
	for _, h := range out.Hidden {
		list = append(list, &report.Logits{B: b, S: s, V: r.hidden, Data: h})
	}
	return list, nil
}
