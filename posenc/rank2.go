package posenc

import (
	"fmt"
	"math"
)

// Rank2 is GRAPE-M's rank-2 generator (arXiv 2512.07805, section 2):
//
//	L = a bᵀ − b aᵀ,  α = ‖a‖², β = ‖b‖², γ = <a, b>, s = √(αβ − γ²)
//	exp(tL) = I + t·(sin ts/ts)·L + t²·((1 − cos ts)/(ts)²)·L²
//
// It turns the plane of a and b by s radians per position, from b towards a,
// and leaves everything orthogonal to it alone. Applying it costs O(d).
type Rank2 struct {
	a, b []float64
	// u and w span the same oriented area, orthogonal and of one length √s:
	// αβ − γ² loses every digit where a and b are nearly parallel, and this
	// form does not.
	u, w []float64
	s    float64
}

// NewRank2 checks the two vectors (d numbers each; the unit of ‖a‖·‖b‖ is
// radians per position). Parallel vectors are the zero generator.
func NewRank2(a, b []float64) (Rank2, error) {
	if len(a) != len(b) || len(a) < 2 {
		return Rank2{}, fmt.Errorf("rank-2 generator: vectors of %d and %d numbers: expected two of one head size, at least 2", len(a), len(b))
	}
	for i := range a {
		if v := a[i] + b[i]; math.IsNaN(v) || math.IsInf(v, 0) {
			return Rank2{}, fmt.Errorf("rank-2 generator: coordinate %d is %v and %v: expected finite numbers", i, a[i], b[i])
		}
	}
	g := Rank2{a: append([]float64(nil), a...), b: append([]float64(nil), b...),
		u: make([]float64, len(a)), w: make([]float64, len(a))}
	na, nb := norm(a), norm(b)
	if na == 0 || nb == 0 {
		return g, nil
	}
	e1, e2 := scaled(a, 1/na), scaled(b, 1/nb)
	orthogonalize(e2, e1)
	if rest := norm(e2); rest > 1e-15 { // below it is the rounding of parallel vectors
		g.s = na * nb * rest
		root := math.Sqrt(g.s)
		e2 = scaled(e2, 1/rest)
		orthogonalize(e2, e1) // the second pass removes what the first one's rounding left
		e2 = scaled(e2, 1/norm(e2))
		g.u, g.w = scaled(e1, root), scaled(e2, root)
	}
	return g, nil
}

// Rate returns s, in radians per position.
func (g Rank2) Rate() float64 { return g.s }

// Generator returns L = a bᵀ − b aᵀ (d × d).
func (g Rank2) Generator() Matrix {
	l := NewMatrix(len(g.a), len(g.a))
	for i := range g.a {
		for j := range g.a {
			l.Set(i, j, g.a[i]*g.b[j]-g.b[i]*g.a[j])
		}
	}
	return l
}

// Size returns the head size d.
func (g Rank2) Size() int { return len(g.a) }

// Axes returns 1.
func (g Rank2) Axes() int { return 1 }

// Turn replaces x by exp(tL)x.
func (g Rank2) Turn(x []float64, _ int, at []float64) {
	mustFit("Rank2.Turn", x, len(g.a), at, 1)
	t := at[0]
	f1, f2 := t*sinc(t*g.s), t*t*cosc(t*g.s)
	// L = u wᵀ − w uᵀ with u ⟂ w, ‖u‖² = ‖w‖² = s, so L²x = −s (u (u·x) + w (w·x))
	ux, wx := innerProduct(g.u, x), innerProduct(g.w, x)
	for i := range x {
		x[i] += f1*(g.u[i]*wx-g.w[i]*ux) - f2*g.s*(g.u[i]*ux+g.w[i]*wx)
	}
}

// Lower returns one plane in the basis [a⃗, b⃗⊥, complement]: first coordinate
// along a, second along b's part orthogonal to a, turning by −s per position.
func (g Rank2) Lower(int) PlaneForm {
	d := len(g.a)
	f := PlaneForm{Planes: Axial{HeadDim: d, Dim: 2, InvFreq: [][]float64{{-g.s}}, Gain: 1}}
	if g.s == 0 {
		return f
	}
	b := completed([][]float64{scaled(g.u, 1/norm(g.u)), scaled(g.w, 1/norm(g.w))}, d)
	f.Basis = &b
	return f
}

// sinc is sin z / z, by its series where the quotient would be 0/0.
func sinc(z float64) float64 {
	if q := z * z; q < 1e-6 {
		return 1 - q/6*(1-q/20)
	}
	return math.Sin(z) / z
}

// cosc is (1 − cos z)/z² = ½ (sin(z/2)/(z/2))²: the half angle has no
// cancellation.
func cosc(z float64) float64 {
	h := sinc(z / 2)
	return h * h / 2
}

func scaled(x []float64, f float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * f
	}
	return out
}

// orthogonalize removes the unit vector e from x.
func orthogonalize(x, e []float64) {
	c := innerProduct(x, e)
	for i := range x {
		x[i] -= c * e[i]
	}
}
