package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// latents are what queries, and keys and values, are made of: the layer's input, or
// the normalised low-rank latents of it.
type latents[T Float] struct{ q, kv []T }

func (l latents[T]) of(side names.Side) []T {
	if side == names.Q {
		return l.q
	}
	return l.kv
}

// latents projects x, (tokens, hidden), to the latents, and to the slice that all
// keys share, (tokens, Turned); the slice is nil where there are none of them.
func (p *pass[T]) latents(ctx context.Context, a *family.Attention, at func(place string) string, x []T) (from latents[T], slice []T, err error) {
	from = latents[T]{x, x}
	l := a.Latent
	if l == nil {
		return from, nil, nil
	}
	down := func(w *family.Linear, place string) ([]T, error) {
		n := int(w.Weight.Shape[0])
		y := make([]T, p.in.tokens()*n)
		if err := p.linear(ctx, w, x, p.in.tokens(), y, p.work); err != nil {
			return nil, err
		}
		p.tap(at(place), y, n)
		return y, nil
	}
	latent := func(w *family.Linear, n *family.Norm, place, normed string) ([]T, error) {
		y, err := down(w, place)
		if err == nil {
			err = p.norm(n, y, y)
		}
		if err == nil {
			p.tap(at(normed), y, n.Size)
		}
		return y, err
	}
	if l.QDown != nil {
		if from.q, err = latent(l.QDown, l.QNorm, family.AtQDown, family.AtQLatent); err != nil {
			return from, nil, err
		}
	}
	if from.kv, err = latent(&l.KVDown, l.KVNorm, family.AtKVDown, family.AtKVLatent); err != nil {
		return from, nil, err
	}
	if l.KVScale != 0 {
		scale(from.kv, l.KVScale)
		p.tap(at(names.KVScaled), from.kv, int(l.KVDown.Weight.Shape[0]))
	}
	slice, err = down(&l.KTurned, family.AtKTurned)
	return from, slice, err
}

// sharedKeys writes keys, (tokens, heads, QKDim): the slice that all heads share,
// then what each makes of the latent.
func (p *pass[T]) sharedKeys(ctx context.Context, a *family.Attention, at func(place string) string, latent, slice, keys []T) error {
	tokens, turned, d := p.in.tokens(), a.Latent.Turned, a.QKDim
	still := d - turned
	own := make([]T, tokens*a.KVHeads*still)
	if err := p.linear(ctx, &a.K, latent, tokens, own, p.work); err != nil {
		return err
	}
	p.tap(at(names.K.Proj()), own, a.KVHeads, still)
	for i := range tokens * a.KVHeads {
		copy(keys[i*d:][:turned], slice[i/a.KVHeads*turned:][:turned])
		copy(keys[i*d+turned:][:still], own[i*still:])
	}
	p.tap(at(names.KJoined), keys, a.KVHeads, d)
	return nil
}

// FromLatents is the cache of one row of n tokens, at positions 0, 1, ..., whose turned
// slices and latents are given: for each layer of latent attention (n, Turned + rank),
// what a pass finds at k_rotated of every head and at kv_latent_norm, or
// kv_latent_scaled.
func (r *RunnerOf[T]) FromLatents(ctx context.Context, latents [][]T, n int) (*CacheOf[T], error) {
	c := &CacheOf[T]{Batch: 1, Length: n, Keys: make([][]T, len(latents)), Values: make([][]T, len(latents)), States: make([]State, len(latents))}
	for i := range n {
		c.Positions = append(c.Positions, int64(i))
	}
	work := newScratch[T]()
	for i, a := range r.model.Attentions() {
		turned, heads, still := a.Latent.Turned, a.KVHeads, a.QKDim-a.Latent.Turned
		rank := len(latents[i])/max(n, 1) - turned
		latent, own, values := make([]T, n*rank), make([]T, n*heads*still), make([]T, n*heads*a.VDim)
		for t := range n {
			copy(latent[t*rank:], latents[i][t*(turned+rank)+turned:][:rank])
		}
		if err := r.linear(ctx, &a.K, latent, n, own, work); err != nil {
			return nil, fmt.Errorf("ref: layer %d: %w", i, err)
		}
		if err := r.linear(ctx, &a.V, latent, n, values, work); err != nil {
			return nil, fmt.Errorf("ref: layer %d: %w", i, err)
		}
		keys := make([]T, n*heads*a.QKDim)
		for t := range n {
			for h := range heads {
				key := keys[(t*heads+h)*a.QKDim:]
				copy(key, latents[i][t*(turned+rank):][:turned])
				copy(key[turned:], own[(t*heads+h)*still:][:still])
			}
		}
		c.Keys[i], c.Values[i] = make([]T, len(keys)), make([]T, len(values))
		fill(c.Keys[i], keys, 1, heads, 0, n, a.QKDim)
		fill(c.Values[i], values, 1, heads, 0, n, a.VDim)
	}
	return c, nil
}
