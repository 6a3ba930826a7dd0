package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// maxPastBytes bounds a synthetic past of all layers, in float64.
const maxPastBytes = 256 << 20

// past is a cache of random keys and values that no runner computed: it brings
// a model to far positions at the cost of a few tokens. Every number is one of
// float32, so that all runners have the same.
type past struct {
	length int
	dims   [][2]int64 // per layer: key/value heads, head size
	keys   [][]float64
	values [][]float64
}

// syntheticPast makes a past of n positions in one row, or says why there is
// none.
func (s *session) syntheticPast(n int) (*past, string) {
	if s.synthetic != nil && s.synthetic.length == n {
		return s.synthetic, ""
	}
	p := &past{length: n}
	shapes := map[string][]int64{}
	for _, c := range s.info.Caches {
		shapes[c.Past] = c.Dims
	}
	bytes := 0
	for i, a := range s.model.Attentions() {
		plain := a.Bias == nil && a.Phase == nil && a.KShift == nil && a.VShift == nil
		for _, kind := range []string{"key", "value"} {
			name := fmt.Sprintf("past_key_values.%d.%s", i, kind)
			d := shapes[name]
			plain = plain && len(d) == 4 && d[1] == int64(a.KVHeads) && d[2] == 0 && d[3] == int64(a.QKDim)
			delete(shapes, name)
		}
		if !plain {
			return nil, fmt.Sprintf("layer %d caches more than keys and values: a past cannot be made up", i)
		}
		p.dims = append(p.dims, [2]int64{int64(a.KVHeads), int64(a.QKDim)})
		bytes += 2 * 8 * a.KVHeads * a.QKDim * n
	}
	if len(shapes) > 0 {
		return nil, "the graph caches more than keys and values: a past cannot be made up"
	}
	if bytes > maxPastBytes {
		return nil, fmt.Sprintf("a past of %d positions takes %d MiB in float64 (at most %d are spent on it)", n, bytes>>20, maxPastBytes>>20)
	}
	rng := rand.New(rand.NewPCG(uint64(s.opts.Seed), uint64(n)))
	fill := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(rng.NormFloat64()))
		}
		return x
	}
	for _, d := range p.dims {
		p.keys = append(p.keys, fill(int(d[0]*d[1])*n))
		p.values = append(p.values, fill(int(d[0]*d[1])*n))
	}
	s.synthetic = p
	return p, ""
}

// run gives a runner tokens that follow the past.
func (p *past) run(ctx context.Context, r Runner, ids []int64) (*report.Logits, error) {
	in := prompt([][]int64{ids}, int64(p.length))
	seen := make([]int64, p.length)
	for i := range seen {
		seen[i] = 1
	}
	in.Mask[0] = append(seen, in.Mask[0]...)
	l, _, err := r.Run(ctx, in, p.state(r))
	return l, err
}

// state is the past as a runner's own; nil where it is empty.
func (p *past) state(r Runner) State {
	if p.length == 0 {
		return nil
	}
	g, ok := r.(*graphRunner)
	if _, ok := r.(*plainRunner); ok {
		return p.state32()
	}
	if !ok {
		c := &ref.Cache{Batch: 1, Length: p.length, Keys: p.keys, Values: p.values, States: make([]ref.State, len(p.keys))}
		for i := range p.length {
			c.Positions = append(c.Positions, int64(i))
		}
		return c
	}
	caches := map[string]any{}
	for _, c := range g.info.Caches {
		var layer int
		fmt.Sscanf(c.Past, "past_key_values.%d.", &layer)
		data := p.keys[layer]
		if strings.HasSuffix(c.Past, ".value") {
			data = p.values[layer]
		}
		caches[c.Present] = g.eng.floats([]int64{1, p.dims[layer][0], int64(p.length), p.dims[layer][1]}, data)
	}
	return caches
}

// state32 is the past of the plain runner: the same numbers.
func (p *past) state32() *ref.Cache32 {
	c := &ref.Cache32{Batch: 1, Length: p.length, States: make([]ref.State, len(p.keys))}
	for i := range p.keys {
		c.Keys, c.Values = append(c.Keys, shorten(p.keys[i])), append(c.Values, shorten(p.values[i]))
	}
	for i := range p.length {
		c.Positions = append(c.Positions, int64(i))
	}
	return c
}

func shorten(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
