package run

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/report"
)

// maxPastBytes bounds a synthetic past of all layers, in float64.
const maxPastBytes = 256 << 20

// Past is a cache of random keys and values that no runner computed: it brings
// a model to far positions at the cost of a few tokens. Every number is one of the
// cache's type, so that all runners have the same.
type Past struct {
	length int
	latent bool       // keys are latents, and there are no values
	dims   []pastDims // per layer
	keys   [][]float64
	values [][]float64
}

// pastDims are a layer's key/value heads and the sizes of its keys and values.
type pastDims struct{ heads, key, value int }

// NewPast makes a past of n positions in one row, of random numbers that the seed
// gives, or says why there is none.
func NewPast(m *family.Model, g *GraphInfo, seed int64, n int) (*Past, string) {
	p := &Past{length: n, latent: g.Cache == names.Latent}
	shapes, types := map[string][]int64{}, map[string]tensor.DType{}
	for _, c := range g.Caches {
		shapes[c.Past], types[c.Past] = c.Dims, c.DType
	}
	bytes := 0
	for i, a := range m.Attentions() {
		if a.KVLayer != nil {
			p.dims = append(p.dims, pastDims{0, a.QKDim, a.VDim})
			continue
		}
		plain := a.Bias == nil && a.Phase == nil && a.KShift == nil && a.VShift == nil && (!p.latent || a.Latent != nil)
		kinds := map[string]int{names.Key: a.QKDim, names.Value: a.VDim}
		if p.latent && plain {
			a = a.Absorbed()
			kinds = map[string]int{names.Latent: a.QKDim}
		}
		for kind, width := range kinds {
			name := names.Past(i, kind)
			d := shapes[name]
			plain = plain && len(d) == 4 && d[1] == int64(a.KVHeads) && d[2] == 0 && d[3] == int64(width)
			delete(shapes, name)
		}
		if !plain {
			return nil, fmt.Sprintf("layer %d caches more than keys and values: a past cannot be made up", i)
		}
		d := pastDims{a.KVHeads, a.QKDim, a.VDim}
		if p.latent {
			d.value = 0
		}
		p.dims = append(p.dims, d)
		bytes += 8 * d.heads * (d.key + d.value) * n
	}
	if len(shapes) > 0 {
		return nil, "the graph caches more than keys and values: a past cannot be made up"
	}
	if bytes > maxPastBytes {
		return nil, fmt.Sprintf("a past of %d positions takes %d MiB in float64 (at most %d are spent on it)", n, bytes>>20, maxPastBytes>>20)
	}
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
	fill := func(n int, cache string) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(rng.NormFloat64()))
		}
		if d, ok := types[cache]; ok && d != tensor.F32 {
			if err := tensor.Round64(x, x, d); err != nil { // floats round to every type of floats
				panic(err)
			}
		}
		return x
	}
	kind := names.Key
	if p.latent {
		kind = names.Latent
	}
	for i, d := range p.dims {
		p.keys = append(p.keys, fill(d.heads*d.key*n, names.Past(i, kind)))
		p.values = append(p.values, fill(d.heads*d.value*n, names.Past(i, names.Value)))
	}
	return p, ""
}

// Run gives a runner tokens that follow the past.
func (p *Past) Run(ctx context.Context, r Runner, ids []int64) (*report.Logits, error) {
	in := Prompt([][]int64{ids}, int64(p.length))
	seen := make([]int64, p.length)
	for i := range seen {
		seen[i] = 1
	}
	in.Mask[0] = append(seen, in.Mask[0]...)
	var state State
	if p.length > 0 {
		t, ok := r.(PastTaker)
		if !ok {
			return nil, fmt.Errorf("%s takes no past that it did not compute", r.Name())
		}
		state = t.TakePast(p)
	}
	l, _, err := r.Run(ctx, in, state)
	return l, err
}

// Length is the number of its positions.
func (p *Past) Length() int { return p.length }

func shorten(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
