package ref

import (
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"github.com/pecvt/pecvt/convert/family"
)

// Exponentials are exp(2^k L) of generators, by key/value head and k: R(t) = exp(tL) is
// the product of those of the bits of t. The first is gonum's matrix exponential
// (scaling, squaring and Padé's approximation), each next one the square of the one
// before. Nothing here knows planes, so that it is a second opinion on them. The zero value is ready; its methods may be used
// from several goroutines.
type Exponentials struct {
	mu sync.Mutex
	of map[*family.Generators][][]*mat.Dense
}

// upTo returns the powers of a layer whose product is that of any position up to last.
func (e *Exponentials) upTo(n *family.Generators, last int64) [][]*mat.Dense {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.of = map[*family.Generators][][]*mat.Dense{}
	}
	heads := e.of[n]
	if heads == nil {
		heads = make([][]*mat.Dense, len(n.L))
	}
	for g, l := range n.L {
		if heads[g] == nil {
			var first mat.Dense
			first.Exp(mat.NewDense(l.Rows, l.Cols, l.Data))
			heads[g] = append(heads[g], &first)
		}
		for last>>len(heads[g]) > 0 {
			var next mat.Dense
			half := heads[g][len(heads[g])-1]
			next.Mul(half, half)
			heads[g] = append(heads[g], &next)
		}
	}
	e.of[n] = heads
	return heads
}

// Turn replaces x, the D coordinates of a head that turns with key/value head g, by
// exp(tL)x, without the attention factor.
func (e *Exponentials) Turn(n *family.Generators, g int, x []float64, t int64) {
	y := mat.NewVecDense(len(x), x)
	for k, power := range e.upTo(n, t)[g] {
		if t>>k&1 == 1 {
			var to mat.VecDense
			to.MulVec(power, y)
			y.CopyVec(&to)
		}
	}
}

// exponentiate turns every head of x, (tokens, heads, head size), in place by exp(tL),
// times the attention factor; head h has the generator of group h / (heads/groups).
func exponentiate[T Float](a *family.Attention, powers [][]*mat.Dense, positions []int64, x []T, heads int) {
	d, size, share := a.Rotary.Dim, a.Rotary.HeadDim, heads/len(powers)
	from, to := mat.NewVecDense(d, nil), mat.NewVecDense(d, nil)
	for i, t := range positions {
		for h := range heads {
			v := x[(i*heads+h)*size:][:d]
			for k, y := range v {
				from.SetVec(k, float64(y))
			}
			for k, power := range powers[h/share] {
				if t>>k&1 == 1 {
					to.MulVec(power, from)
					from, to = to, from
				}
			}
			for k := range v {
				v[k] = T(a.Rotary.Gain * from.AtVec(k))
			}
		}
	}
}

// OwnKeys are keys of a layer as this runner caches them, of those that a graph does,
// (heads, positions, head size): it has them in their own coordinates where a graph, and
// Rounded, have them in the bases of their heads.
func (r *RunnerOf[T]) OwnKeys(layer int, keys []T) []T {
	a := r.model.Blocks[layer].Attn()
	if a == nil || a.Generators == nil || r.roundTables {
		return keys
	}
	d, out, x := a.QKDim, slices.Clone(keys), make([]float64, a.Rotary.Dim)
	each := len(keys) / a.KVHeads
	for i := 0; i < len(keys); i += d {
		for k := range x {
			x[k] = float64(keys[i+k])
		}
		for k, v := range a.Generators.Q[i/each].Apply(x) {
			out[i+k] = T(v)
		}
	}
	return out
}

// inBasis takes every head of x, (tokens, heads, head size), in place to Qᵀx, with Q
// rounded to float32 as a graph holds it.
func inBasis[T Float](a *family.Attention, x []T, heads int) {
	n, d, size := a.Generators, a.Rotary.Dim, a.Rotary.HeadDim
	share, y := heads/len(n.Q), make([]float64, d)
	for i := range len(x) / size {
		v, q := x[i*size:][:d], n.Q[i%heads/share]
		clear(y)
		for k, s := range v {
			for j, c := range q.Row(k) {
				y[j] += float64(float32(c)) * float64(s)
			}
		}
		for j := range v {
			v[j] = T(y[j])
		}
	}
}
