package run

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// Plain is the forward pass of package ref in float32 as a Runner: what a
// model does in that precision when nothing is done cleverly.
type Plain struct {
	r      *ref.Runner32
	hidden int
}

// NewPlain is the plain run of a model in an arithmetic; one that package ref
// does not compute in is an error.
func NewPlain(a report.Arithmetic, m *family.Model, src family.Source) (*Plain, error) {
	if a != report.Float32 {
		return nil, fmt.Errorf("arithmetic %q: the reference has no plain run in it: expected %s", a, report.Float32)
	}
	return &Plain{r: ref.New32(m, src), hidden: m.Hidden}, nil
}

// Name is "ref-float32".
func (r *Plain) Name() string { return "ref-float32" }

// Arithmetic is float32.
func (r *Plain) Arithmetic() report.Arithmetic { return report.Float32 }

// Positions is true.
func (r *Plain) Positions() bool { return true }

// Close does nothing.
func (r *Plain) Close() error { return nil }

// Run is one forward pass.
func (r *Plain) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	cache, _ := past.(*ref.Cache32)
	if p, ok := past.(*Past); ok { // of latents
		latents := make([][]float32, len(p.keys))
		for i, x := range p.keys {
			latents[i] = shorten(x)
		}
		var err error
		if cache, err = r.r.FromLatents(ctx, latents, p.length); err != nil {
			return nil, nil, err
		}
	}
	out, err := r.r.Forward(ctx, ref.Input32{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask, Past: cache}, ref.Options32{})
	if err != nil {
		return nil, nil, err
	}
	return &report.Logits{B: out.Batch, S: out.Seq, V: out.Vocab, Data: widen(out.Logits)}, out.Cache, nil
}

// Hidden returns the residual stream as Ref.Hidden does.
func (r *Plain) Hidden(ctx context.Context, in Input) ([]*report.Logits, error) {
	b, s := in.Batch()
	out, err := r.r.Forward(ctx, ref.Input32{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask}, ref.Options32{KeepHidden: true, LogitsFrom: s})
	if err != nil {
		return nil, err
	}
	var list []*report.Logits
	for _, h := range out.Hidden {
		list = append(list, &report.Logits{B: b, S: s, V: r.hidden, Data: widen(h)})
	}
	return list, nil
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TakePast makes a state of a past that no runner computed: the same numbers.
func (r *Plain) TakePast(p *Past) State {
	if p.latent {
		return p
	}
	c := &ref.Cache32{Batch: 1, Length: p.length, States: make([]ref.State, len(p.keys))}
	for i := range p.keys {
		c.Keys, c.Values = append(c.Keys, r.r.OwnKeys(i, shorten(p.keys[i]))), append(c.Values, shorten(p.values[i]))
	}
	for i := range p.length {
		c.Positions = append(c.Positions, int64(i))
	}
	return c
}
