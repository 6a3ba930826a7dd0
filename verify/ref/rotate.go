package ref

import "github.com/pecvt/pecvt/posenc"

// turns holds cos and sin per token and plane, (tokens, planes).
type turns struct{ cos, sin []float64 }

func newTurns(s posenc.Spectrum, positions []int64) turns {
	planes := len(s.InvFreq)
	t := turns{make([]float64, len(positions)*planes), make([]float64, len(positions)*planes)}
	for i, pos := range positions {
		for p := range planes {
			t.cos[i*planes+p], t.sin[i*planes+p] = s.CosSin(p, pos)
		}
	}
	return t
}

// rotate turns every head of x, (tokens, heads, head size), in place.
func (t turns) rotate(r *posenc.Rotary, x []float64, heads int) {
	planes := r.Planes()
	for i := range len(x) / (heads * r.HeadDim) {
		cos, sin := t.cos[i*planes:(i+1)*planes], t.sin[i*planes:(i+1)*planes]
		for h := range heads {
			v := x[(i*heads+h)*r.HeadDim:][:r.HeadDim]
			for p := range planes {
				a, b := r.Coordinates(p)
				x1, x2 := v[a], v[b]
				v[a], v[b] = x1*cos[p]-x2*sin[p], x2*cos[p]+x1*sin[p]
			}
		}
	}
}
