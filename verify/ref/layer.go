package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// pass is one forward pass under way.
type pass[T Float] struct {
	*RunnerOf[T]
	in          *batch
	past        *CacheOf[T]
	opts        OptionsOf[T]
	out         *OutputOf[T]
	work        *scratch[T]
	x           []T // the residual stream, (B, S, hidden)
	shortcut    []T // what joins it with the next block's output; nil is nothing
	byLayer     []T // embeddings by layer, (B, S, layers·size)
	block       int
	done, total int
}

func (p *pass[T]) step() {
	p.done++
	if p.opts.Progress != nil {
		p.opts.Progress(p.done, p.total)
	}
}

func (p *pass[T]) tap(name string, values []T, last ...int) {
	if p.opts.Tap != nil {
		p.opts.Tap(name, values, append([]int{p.in.rows, p.in.seq}, last...))
	}
}

// keep stores the residual stream as hidden state i.
func (p *pass[T]) keep(i int) error {
	if i > 0 && p.model.Blocks[i-1].Shortcut != nil {
		return nil // half of a stored layer
	}
	if !p.opts.KeepHidden || i >= len(p.model.Blocks) {
		return nil
	}
	hidden := append([]T(nil), p.x...)
	if i > 0 {
		scale(hidden, p.model.Blocks[i-1].HiddenScale)
	}
	p.out.Hidden = append(p.out.Hidden, hidden)
	if p.model.NormedHidden {
		return p.norm(p.model.Blocks[i].AttnNorm, p.x, hidden)
	}
	return nil
}

// embed looks the tokens up. The table is searched for values that are not
// finite once, since the tokens may never meet them.
func (p *pass[T]) embed(ctx context.Context) error {
	table, err := p.open(p.model.Embed)
	if err != nil {
		return err
	}
	p.embedOnce.Do(func() { p.embedErr = table.finite(table.raw, table.dtype, 0) })
	if p.embedErr != nil {
		return p.embedErr
	}
	h := p.model.Hidden
	p.x = make([]T, p.in.tokens()*h)
	for i, id := range p.in.ids {
		if err := decode(&table, p.x[i*h:(i+1)*h], int(id), int(id)+1); err != nil {
			return err
		}
	}
	p.release(p.model.Embed)
	p.tap(names.Outside(family.AtEmbed), p.x, h)
	if s := p.model.EmbedScale; s != 0 {
		scale(p.x, s)
		p.tap(names.EmbedScaled, p.x, h)
	}
	if p.model.EmbedShift != nil {
		shift, err := p.vector(p.model.EmbedShift)
		if err != nil {
			return err
		}
		for i := 0; i < len(p.x); i += h {
			add(p.x[i:i+h], shift)
		}
		p.tap(names.EmbedShifted, p.x, h)
	}
	if n := p.model.EmbedNorm; n != nil {
		if err := p.norm(n, p.x, p.x); err != nil {
			return err
		}
		p.tap(names.Outside(family.AtEmbedNorm), p.x, h)
	}
	if err := p.embedByLayer(ctx); err != nil {
		return err
	}
	if err := p.keep(0); err != nil {
		return err
	}
	p.step()
	return ctx.Err()
}

// layer replaces the residual stream by block i's output.
func (p *pass[T]) layer(ctx context.Context, i int) error {
	b := &p.model.Blocks[i]
	p.block = i
	h := p.model.Hidden
	at := func(place string) string { return names.Layer(i, place) }
	n := len(p.x)
	normed := room(&p.work.normed, n)
	if err := p.placedNorm(at(family.AtAttnNorm), b.AttnNorm, p.x, normed); err != nil {
		return err
	}
	attn := room(&p.work.attn, n)
	if err := p.mixer(ctx, b, at, i, normed, attn); err != nil {
		return err
	}
	if err := p.placedNorm(at(family.AtAttnOut), b.AttnOutNorm, attn, attn); err != nil {
		return err
	}
	scale(attn, b.ResidualScale)
	if r := b.Residual; r != nil {
		copy(p.x, normed)
		scale(p.x, r.AttnKeep)
		scale(attn, r.AttnAdd)
	}
	residual := p.x
	if !b.Parallel {
		add(p.x, attn)
		p.tap(at(names.AttnResidual), p.x, h)
	}
	if err := p.placedNorm(at(family.AtMLPNorm), b.MLPNorm, residual, normed); err != nil {
		return err
	}
	joins := p.shortcut // of the block before
	p.shortcut = nil
	if b.Shortcut != nil {
		p.shortcut = make([]T, n)
		if err := p.experts(ctx, b.Shortcut, at, normed, normed, p.shortcut); err != nil {
			return err
		}
	}
	if r := b.Residual; r != nil {
		copy(p.x, normed)
		scale(p.x, r.MLPKeep)
	}
	mlp := normed // down's input is the inner activation: its output may land here
	if err := p.feedForward(ctx, b, at, normed, mlp); err != nil {
		return err
	}
	if b.Side != nil {
		if err := p.beside(ctx, b.Side, at, residual, mlp); err != nil {
			return err
		}
	}
	if err := p.placedNorm(at(family.AtMLPOut), b.MLPOutNorm, mlp, mlp); err != nil {
		return err
	}
	scale(mlp, b.ResidualScale)
	if r := b.Residual; r != nil {
		scale(mlp, r.MLPAdd)
	}
	if b.Parallel {
		add(p.x, attn)
	}
	add(p.x, mlp)
	if joins != nil {
		add(p.x, joins)
	}
	if err := p.layerEnd(ctx, b, at, i); err != nil {
		return err
	}
	p.tap(at(names.Output), p.x, h)
	return nil
}

// mixer writes what attention, or what takes its place, makes of x to y.
func (p *pass[T]) mixer(ctx context.Context, b *family.Block, at func(place string) string, layer int, x, y []T) error {
	var past State
	if p.past != nil {
		past = p.past.States[layer]
	}
	switch m := b.Mixer.(type) {
	case *family.ShortConv:
		return p.shortConv(ctx, m, at, layer, x, y)
	case *family.DeltaNet:
		return p.deltaNet(ctx, m, at, layer, x, y)
	case *family.RGLRU:
		return p.rglru(ctx, m, at, past, x, y)
	case *family.Lightning:
		return p.lightning(ctx, m, at, past, x, y)
	case *family.Mamba:
		var next State
		err := p.mamba(ctx, m, at, &past, &next, x, y)
		p.out.Cache.push(nil, nil, next)
		return err
	}
	if err := p.attention(ctx, b.Attn(), at, layer, x, y); err != nil {
		return err
	}
	m, ok := b.Second.(*family.Mamba)
	if !ok {
		return nil
	}
	scale(y, b.MixerScale)
	beside := make([]T, len(y))
	if err := p.mamba(ctx, m, at, &past, &p.out.Cache.States[len(p.out.Cache.States)-1], x, beside); err != nil {
		return err
	}
	add(y, beside)
	return nil
}

// placedNorm normalises x into y, and taps what a norm that is there makes.
func (p *pass[T]) placedNorm(name string, n *family.Norm, x, y []T) error {
	if err := p.norm(n, x, y); err != nil {
		return err
	}
	if n != nil {
		p.tap(name, y, p.model.Hidden)
	}
	return nil
}

// scale multiplies x by a factor, 0 for none.
func scale[T Float](x []T, factor float64) {
	if factor == 0 {
		return
	}
	for i := range x {
		x[i] *= T(factor)
	}
}

func add[T Float](x, y []T) {
	for i, v := range y {
		x[i] += v
	}
}

// attention writes O(attend(Q x, K x, V x)) to y and extends the cache.
func (p *pass[T]) attention(ctx context.Context, a *family.Attention, at func(place string) string, layer int, x, y []T) error {
	in, tokens, d, dv := p.in, p.in.tokens(), a.QKDim, a.VDim
	bias, err := p.bias(a)
	if err != nil {
		return err
	}
	var keys, values []T
	var past State
	if p.past != nil {
		keys, values, past = p.past.Keys[layer], p.past.Values[layer], p.past.States[layer]
		if err := past.check(a, bias, in.rows, in.past); err != nil {
			return err
		}
	}
	var next State
	h, err := p.heads(ctx, a, at, x, bias, &past, &next)
	if err != nil {
		return err
	}
	var extra *added
	if bias != nil {
		if extra, err = p.features(ctx, bias, a, &past, x, h.token[0], h.token[1], h.v, &next); err != nil {
			return err
		}
	}
	if a.KVLayer != nil {
		if bias != nil || *a.KVLayer >= layer {
			return fmt.Errorf("keys and values of layer %d: expected an earlier one, and no bias", *a.KVLayer)
		}
		p.out.Cache.push(nil, nil, next)
		keys, values = p.out.Cache.Keys[*a.KVLayer], p.out.Cache.Values[*a.KVLayer]
	} else {
		keys = extend(keys, in.rows*a.KVHeads, in.past, in.seq, d)
		values = extend(values, in.rows*a.KVHeads, in.past, in.seq, dv)
		fill(keys, h.k, in.rows, a.KVHeads, in.past, in.seq, d)
		fill(values, h.v, in.rows, a.KVHeads, in.past, in.seq, dv)
		p.out.Cache.push(keys, values, next)
	}
	mixed := room(&p.work.context, tokens*a.Heads*dv)
	sinks, err := p.vector(a.Sinks)
	if err != nil {
		return err
	}
	if err := attend(ctx, a, in, h.q, keys, values, sinks, extra, mixed, p.work); err != nil {
		return err
	}
	p.tap(at(names.Context), mixed, a.Heads, dv)
	if a.HeadNorm != nil {
		if err := p.norm(a.HeadNorm, mixed, mixed); err != nil {
			return err
		}
		p.tap(at(family.AtHeadNorm), mixed, a.Heads, dv)
	}
	if a.OutGate != nil {
		if err := p.outGate(ctx, a, at, x, mixed); err != nil {
			return err
		}
	}
	if err := p.linear(ctx, &a.O, mixed, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtO), y, p.model.Hidden)
	return nil
}
