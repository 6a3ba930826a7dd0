package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// pass is one forward pass under way.
type pass struct {
	*Runner
	in          *batch
	opts        Options
	out         *Output
	work        *scratch
	x           []float64 // the residual stream, (B, S, hidden)
	done, total int
}

func (p *pass) step() {
	p.done++
	if p.opts.Progress != nil {
		p.opts.Progress(p.done, p.total)
	}
}

func (p *pass) tap(name string, values []float64, last ...int) {
	if p.opts.Tap != nil {
		p.opts.Tap(name, values, append([]int{p.in.rows, p.in.seq}, last...))
	}
}

// keep stores the residual stream as hidden state i.
func (p *pass) keep(i int) {
	if p.opts.KeepHidden && i < len(p.model.Blocks) {
		p.out.Hidden = append(p.out.Hidden, append([]float64(nil), p.x...))
	}
}

// embed looks the tokens up. The table is searched for values that are not
// finite once, since the tokens may never meet them.
func (p *pass) embed(ctx context.Context) error {
	table, err := p.open(p.model.Embed)
	if err != nil {
		return err
	}
	p.embedOnce.Do(func() { p.embedErr = table.finite(table.raw, 0) })
	if p.embedErr != nil {
		return p.embedErr
	}
	h := p.model.Hidden
	p.x = make([]float64, p.in.tokens()*h)
	for i, id := range p.in.ids {
		if err := table.decode(p.x[i*h:(i+1)*h], int(id), int(id)+1); err != nil {
			return err
		}
	}
	p.release(p.model.Embed)
	p.tap("/embed", p.x, h)
	p.keep(0)
	p.step()
	return ctx.Err()
}

// layer replaces the residual stream by block i's output.
func (p *pass) layer(ctx context.Context, i int, past [2][]float64) error {
	b := &p.model.Blocks[i]
	h := p.model.Hidden
	name := fmt.Sprintf("/layers.%d", i)
	n := len(p.x)
	normed := room(&p.work.normed, n)
	if err := p.norm(&b.AttnNorm, p.x, normed, h); err != nil {
		return err
	}
	p.tap(name+"/attn_norm", normed, h)
	attn := room(&p.work.attn, n)
	if err := p.attention(ctx, &b.Attn, name+"/attn", past, normed, attn); err != nil {
		return err
	}
	residual := p.x
	if !b.Parallel {
		add(p.x, attn)
		p.tap(name+"/attn_residual", p.x, h)
	}
	if err := p.norm(&b.MLPNorm, residual, normed, h); err != nil {
		return err
	}
	p.tap(name+"/mlp_norm", normed, h)
	mlp := normed // down's input is the inner activation: its output may land here
	if err := p.mlp(ctx, &b.MLP, name+"/mlp", normed, mlp); err != nil {
		return err
	}
	if b.Parallel {
		add(p.x, attn)
	}
	add(p.x, mlp)
	p.tap(name+"/output", p.x, h)
	return nil
}

func add(x, y []float64) {
	for i, v := range y {
		x[i] += v
	}
}

// attention writes O(attend(Q x, K x, V x)) to y and extends the cache.
func (p *pass) attention(ctx context.Context, a *family.Attention, name string, past [2][]float64, x, y []float64) error {
	tokens, d := p.in.tokens(), a.HeadDim
	q := room(&p.work.q, tokens*a.Heads*d)
	k := room(&p.work.k, tokens*a.KVHeads*d)
	v := room(&p.work.v, tokens*a.KVHeads*d)
	turn := newTurns(a.Rotary.Spectrum, p.in.positions)
	for _, one := range []struct {
		letter string
		linear *family.Linear
		norm   *family.Norm
		heads  int
		to     []float64
		rotate bool
	}{{"q", &a.Q, a.QNorm, a.Heads, q, true}, {"k", &a.K, a.KNorm, a.KVHeads, k, true}, {"v", &a.V, nil, a.KVHeads, v, false}} {
		if err := p.linear(ctx, one.linear, x, tokens, one.to, p.work); err != nil {
			return err
		}
		p.tap(name+"/"+one.letter+"_proj", one.to, one.heads, d)
		if one.norm != nil {
			if err := p.norm(one.norm, one.to, one.to, d); err != nil {
				return err
			}
			p.tap(name+"/"+one.letter+"_norm", one.to, one.heads, d)
		}
		if one.rotate {
			turn.rotate(&a.Rotary, one.to, one.heads)
			p.tap(name+"/"+one.letter+"_rotated", one.to, one.heads, d)
		}
	}
	keys := extend(past[0], p.in.rows*a.KVHeads, p.in.past, p.in.seq, d)
	values := extend(past[1], p.in.rows*a.KVHeads, p.in.past, p.in.seq, d)
	store(keys, k, p.in.rows, a.KVHeads, p.in.past, p.in.seq, d)
	store(values, v, p.in.rows, a.KVHeads, p.in.past, p.in.seq, d)
	p.out.Cache.Keys = append(p.out.Cache.Keys, keys)
	p.out.Cache.Values = append(p.out.Cache.Values, values)
	mixed := room(&p.work.context, tokens*a.Heads*d)
	if err := attend(ctx, a, p.in, q, keys, values, mixed, p.work); err != nil {
		return err
	}
	p.tap(name+"/context", mixed, a.Heads, d)
	if err := p.linear(ctx, &a.O, mixed, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(name+"/o_proj", y, p.model.Hidden)
	return nil
}

// mlp writes Down(act(Gate x) · Up x), or Down(act(Up x)), to y, which may be x.
func (p *pass) mlp(ctx context.Context, f *family.MLP, name string, x, y []float64) error {
	act, err := activation(f.Act)
	if err != nil {
		return err
	}
	tokens, inner := p.in.tokens(), int(f.Up.Weight.Shape[0])
	up := room(&p.work.up, tokens*inner)
	gate := up
	if f.Gated {
		gate = room(&p.work.gate, tokens*inner)
		if err := p.linear(ctx, &f.Gate, x, tokens, gate, p.work); err != nil {
			return err
		}
		p.tap(name+"/gate_proj", gate, inner)
	}
	if err := p.linear(ctx, &f.Up, x, tokens, up, p.work); err != nil {
		return err
	}
	p.tap(name+"/up_proj", up, inner)
	err = parallel(ctx, tokens, tokens*inner < 1<<12, func(_, t int) error {
		for i := t * inner; i < (t+1)*inner; i++ {
			if f.Gated {
				up[i] *= act(gate[i])
			} else {
				up[i] = act(up[i])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.tap(name+"/act", up, inner)
	if err := p.linear(ctx, &f.Down, up, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(name+"/down_proj", y, p.model.Hidden)
	return nil
}
