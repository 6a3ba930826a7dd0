package ref

import (
	"gonum.org/v1/gonum/mat"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// turns holds cos and sin per token, group of heads and plane, (tokens, groups,
// planes). One group serves all heads.
type turns[T Float] struct {
	groups   int
	cos, sin []T
	powers   [][]*mat.Dense // in the place of both, where heads turn by exp(tL)
}

// newTurns makes the table of a layer. phases, (tokens, n), take the place of
// positions where they are not nil; n is 1 or the number of key/value heads.
//
// round makes what a table of float32 holds of them; a contextual phase has no
// table, and its cos and sin stay as they are.
func newTurns[T Float](a *family.Attention, positions []int64, phases []float64, round bool) turns[T] {
	t := turns[T]{groups: 1}
	perToken := 0
	if phases != nil {
		perToken = len(phases) / len(positions)
	}
	if a.Spectra != nil || perToken > 1 {
		t.groups = a.KVHeads
	}
	spectrum, planes := a.Rotary.Spectrum, a.Rotary.Planes()
	t.cos, t.sin = make([]T, len(positions)*t.groups*planes), make([]T, len(positions)*t.groups*planes)
	for i, pos := range positions {
		for g := range t.groups {
			if a.Spectra != nil {
				spectrum.InvFreq = a.Spectra.InvFreq[g]
			}
			at := (i*t.groups + g) * planes
			for p := range planes {
				var cos, sin float64
				if phases == nil {
					cos, sin = spectrum.CosSin(p, pos)
				} else {
					cos, sin = spectrum.CosSinAt(p, phases[i*perToken+g%perToken])
				}
				t.cos[at+p], t.sin[at+p] = T(cos), T(sin)
			}
		}
	}
	if round && phases == nil {
		for i := range t.cos {
			t.cos[i], t.sin[i] = T(float32(t.cos[i])), T(float32(t.sin[i]))
		}
	}
	return t
}

// rotate turns every head of x, (tokens, heads, head size), in place; head h
// turns with group h / (heads/groups).
func (t turns[T]) rotate(r *posenc.Rotary, x []T, heads int) {
	planes, share := r.Planes(), heads/t.groups
	for i := range len(x) / (heads * r.HeadDim) {
		for h := range heads {
			at := (i*t.groups + h/share) * planes
			cos, sin := t.cos[at:at+planes], t.sin[at:at+planes]
			v := x[(i*heads+h)*r.HeadDim:][:r.HeadDim]
			for p := range planes {
				a, b := r.Coordinates(p)
				x1, x2 := v[a], v[b]
				v[a], v[b] = x1*cos[p]-x2*sin[p], x2*cos[p]+x1*sin[p]
			}
		}
	}
}
