package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// shortConv writes Out(C ⊙ conv(B ⊙ x')) to y, B, C and x' the thirds of In x, and
// extends the cache.
func (p *pass[T]) shortConv(ctx context.Context, c *family.ShortConv, at func(place string) string, layer int, x, y []T) error {
	tokens, h := p.in.tokens(), p.model.Hidden
	in := make([]T, tokens*3*h)
	if err := p.linear(ctx, &c.In, x, tokens, in, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtConvIn), in, 3*h)
	z := make([]T, tokens*h)
	for t := range tokens {
		row := in[t*3*h:]
		for i := range h {
			z[t*h+i] = row[i] * row[2*h+i]
		}
	}
	var past []float64
	if p.past != nil {
		past = p.past.States[layer].Window
	}
	window, err := p.causal(&c.Conv, h, z, past)
	if err != nil {
		return err
	}
	p.tap(at(family.AtConv), z, h)
	for t := range tokens {
		for i := range h {
			z[t*h+i] *= in[t*3*h+h+i]
		}
	}
	p.tap(at(names.ConvMixed), z, h)
	p.out.Cache.push(nil, nil, State{Window: window})
	if err := p.linear(ctx, &c.Out, z, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtConvOut), y, h)
	return nil
}

// causal replaces z, (tokens, channels), by its convolution along each row's
// tokens. past holds z of the taps − 1 tokens before, nil for none, (B, taps − 1,
// channels); causal returns those of the last tokens that are no padding. Padding
// counts as 0, as in stock loaders, and what follows a row's last token is stepped
// over.
func (p *pass[T]) causal(c *family.Conv, channels int, z []T, past []float64) ([]float64, error) {
	w, err := p.vector(&c.Weight)
	if err != nil {
		return nil, err
	}
	bias, err := p.vector(c.Bias)
	if err != nil {
		return nil, err
	}
	return p.convolve(c.Taps, w, bias, channels, z, past)
}

// convolve is causal with the taps w, (channels, taps), and a bias, nil for none.
func (p *pass[T]) convolve(taps int, w, bias []T, channels int, z []T, past []float64) ([]float64, error) {
	in, n := p.in, taps-1
	if want := in.rows * n * channels; past != nil && len(past) != want {
		return nil, fmt.Errorf("the cache has %d numbers of the convolution: expected %d", len(past), want)
	}
	next := make([]float64, in.rows*n*channels)
	all := make([]T, (n+in.seq)*channels)
	for b := range in.rows {
		clear(all)
		for i := range n * channels {
			if past != nil {
				all[i] = T(past[b*n*channels+i])
			}
		}
		end := 0 // one past the row's last token
		rows := z[b*in.seq*channels:][:in.seq*channels]
		for s := range in.seq {
			if !in.isHidden(b, in.past+s) {
				copy(all[(n+s)*channels:], rows[s*channels:(s+1)*channels])
				end = s + 1
			}
		}
		for s := range in.seq {
			for i := range channels {
				var sum T
				for k := range taps {
					sum += w[i*taps+k] * all[(s+k)*channels+i]
				}
				if bias != nil {
					sum += bias[i]
				}
				rows[s*channels+i] = sum
			}
		}
		for i, v := range all[end*channels:][:n*channels] {
			next[b*n*channels+i] = float64(v)
		}
	}
	return next, nil
}
