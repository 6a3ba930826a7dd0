package ref

import (
	"context"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// head normalises the residual stream and computes the logits asked for.
func (p *pass[T]) head(ctx context.Context) error {
	h, in := p.model.Hidden, p.in
	if err := p.norm(&p.model.FinalNorm, p.x, p.x); err != nil {
		return err
	}
	p.out.Final = p.x
	p.tap(names.Outside(family.AtFinalNorm), p.x, h)
	if p.opts.KeepHidden {
		p.out.Hidden = append(p.out.Hidden, append([]T(nil), p.x...))
	}
	count := in.seq - p.out.From
	if count == 0 {
		return ctx.Err()
	}
	rows := p.x
	if p.out.From > 0 {
		rows = make([]T, 0, in.rows*count*h)
		for b := range in.rows {
			rows = append(rows, p.x[(b*in.seq+p.out.From)*h:(b+1)*in.seq*h]...)
		}
	}
	var err error
	rows, err = p.headDense(ctx, rows, p.work, func(place string, values []T) {
		if p.opts.Tap != nil {
			p.opts.Tap(names.Outside(place), values, []int{in.rows, count, h})
		}
	})
	if err != nil {
		return err
	}
	if p.out.Logits, err = p.logits(ctx, rows, p.work); err != nil {
		return err
	}
	if p.opts.Tap != nil {
		p.opts.Tap(names.LogitsTap, p.out.Logits, []int{in.rows, count, p.model.Vocab})
	}
	return nil
}

// Logits applies the head alone to rows of Output.Final, (n, hidden), and
// returns (n, vocab): a long text's logits can be had piece by piece, after a
// forward pass that asked for none.
func (r *RunnerOf[T]) Logits(ctx context.Context, final []T) ([]T, error) {
	work := newScratch[T]()
	final, err := r.headDense(ctx, final, work, func(string, []T) {})
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	out, err := r.logits(ctx, final, work)
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	return out, nil
}

// headDense makes what the head reads of rows of Output.Final; tap is given the values
// by their places.
func (r *RunnerOf[T]) headDense(ctx context.Context, rows []T, work *scratch[T], tap func(place string, values []T)) ([]T, error) {
	d := r.model.HeadDense
	if d == nil {
		return rows, nil
	}
	act, err := r.activation(&family.MLP{Act: d.Act})
	if err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	if err := r.linear(ctx, &d.Linear, rows, len(rows)/r.model.Hidden, out, work); err != nil {
		return nil, err
	}
	tap(family.AtHeadDense, out)
	for i, x := range out {
		out[i] = act(x)
	}
	if err := r.norm(&d.Norm, out, out); err != nil {
		return nil, err
	}
	tap(family.AtHeadDenseNorm, out)
	return out, nil
}

func (r *RunnerOf[T]) logits(ctx context.Context, rows []T, work *scratch[T]) ([]T, error) {
	n := len(rows) / r.model.Hidden
	out := make([]T, n*r.model.Vocab)
	if err := r.linear(ctx, &r.model.Head, rows, n, out, work); err != nil {
		return nil, err
	}
	scale(out, r.model.LogitScale)
	if c := T(r.model.LogitCap); c != 0 {
		for i, z := range out {
			out[i] = c * T(math.Tanh(float64(z/c)))
		}
	}
	return out, nil
}
