package posenctest_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// planesOf is Σ_p θ_p U_p J U_pᵀ for planes that turn by +θ_p (Hugging Face):
// row b of the first coordinate's column is +θ.
func planesOf(r posenc.Rotary) posenc.Matrix {
	l := posenc.NewMatrix(r.HeadDim, r.HeadDim)
	for p, f := range r.InvFreq {
		a, b := r.Coordinates(p)
		l.Set(a, b, -f)
		l.Set(b, a, f)
	}
	return l
}

func rotary(d, dim int, pairing posenc.Pairing, inv []float64) posenc.Rotary {
	return posenc.Rotary{Spectrum: posenc.Spectrum{InvFreq: inv, Gain: 1}, HeadDim: d, Dim: dim, Pairing: pairing}
}

func random(rng *rand.Rand, rows, cols int, size float64) posenc.Matrix {
	m := posenc.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = size * (2*rng.Float64() - 1)
	}
	return m
}

func randomSkew(rng *rand.Rand, n int, size float64) posenc.Matrix {
	upper := random(rng, 1, n*(n-1)/2, size)
	l, err := posenc.SkewFromUpper(upper.Data, n)
	if err != nil {
		panic(err)
	}
	return l
}

// orthonormal returns d × r with orthonormal columns, by Gram and Schmidt twice.
func orthonormal(rng *rand.Rand, d, r int) posenc.Matrix {
	m := random(rng, d, r, 1)
	for range 2 {
		for j := range r {
			for k := range j {
				c := 0.0
				for i := range d {
					c += m.At(i, j) * m.At(i, k)
				}
				for i := range d {
					m.Set(i, j, m.At(i, j)-c*m.At(i, k))
				}
			}
			n := 0.0
			for i := range d {
				n = math.Hypot(n, m.At(i, j))
			}
			for i := range d {
				m.Set(i, j, m.At(i, j)/n)
			}
		}
	}
	return m
}

func unit(d, i int) []float64 {
	v := make([]float64, d)
	v[i] = 1
	return v
}

func fixed[T any](v T) func(int) T { return func(int) T { return v } }

func sameFor(l posenc.Matrix) func(int, int) posenc.Matrix {
	return func(int, int) posenc.Matrix { return l }
}

// spectral is what a way makes of base 300, d 8, trained on 32 positions: the
// source must not change.
func spectral(t *testing.T, w posenctest.Way) posenc.Spectrum {
	t.Helper()
	e, err := posenc.FindEncoding(w.To)
	if err != nil {
		t.Fatal(err)
	}
	inv := posenc.InvFreq(300, 8)
	src := posenc.Source{Declared: posenc.RopeParams{Type: "default", Theta: 300, HeadDim: 8, Partial: 1}, Unscaled: inv,
		Current: posenc.Spectrum{InvFreq: slices.Clone(inv), Gain: 1}, TrainedLength: 32}
	if src.Scale, err = posenc.ParseScale(w.Scale); err != nil {
		t.Fatal(err)
	}
	if w.Cut != "" {
		if src.Cut, err = posenc.ParseCut(w.Cut); err != nil {
			t.Fatal(err)
		}
	}
	s, err := e.Target(src)
	if err != nil {
		t.Fatalf("%s: %v", w, err)
	}
	if !slices.Equal(src.Current.InvFreq, inv) || !slices.Equal(inv, posenc.InvFreq(300, 8)) {
		t.Errorf("%s changed its source", w)
	}
	return s
}

// samples holds one or more cases for every row of the table of rotations.
func samples(t *testing.T) map[string][]posenctest.RotationCase {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	out := map[string][]posenctest.RotationCase{}
	add := func(name string, c posenctest.RotationCase) {
		if c.KVHeads == 0 {
			c.KVHeads = 1
		}
		out[name] = append(out[name], c)
	}

	rotaries := []posenc.Rotary{
		rotary(16, 16, posenc.Halves, posenc.InvFreq(10000, 16)),
		rotary(12, 8, posenc.Interleaved, posenc.InvFreq(500000, 8)),
		rotary(7, 0, posenc.Halves, nil),
	}
	for i, w := range posenctest.Spectral() { // every encoding that is a spectrum, of 4 planes
		s := spectral(t, w)
		if s.Removed != nil { // planes that leave the score turn nothing
			continue
		}
		rotaries = append(rotaries, rotary(10, 8, posenc.Pairing(i%2), s.InvFreq))
	}
	for _, r := range rotaries {
		var still [][]float64
		for p, f := range r.InvFreq {
			if a, b := r.Coordinates(p); f == 0 {
				still = append(still, unit(r.HeadDim, a), unit(r.HeadDim, b))
			}
		}
		for i := r.Dim; i < r.HeadDim; i++ {
			still = append(still, unit(r.HeadDim, i))
		}
		add("rotary", posenctest.RotationCase{Rotation: r, Generator: sameFor(planesOf(r)), Still: fixed(still)})
	}

	logFreq := random(rng, 3, 4, 4)
	perHead := make(posenc.PerHead, logFreq.Rows)
	for h := range perHead {
		r, err := posenc.GrapeM(logFreq.Row(h), 2, 8)
		must(err)
		perHead[h] = r
	}
	add("grape-m", posenctest.RotationCase{Rotation: perHead, KVHeads: 3, Generator: func(head, _ int) posenc.Matrix {
		inv := make([]float64, 4)
		for p, v := range logFreq.Row(head) {
			inv[p] = -math.Exp(v / 2)
		}
		return planesOf(rotary(8, 8, posenc.Halves, inv))
	}})

	inner := rotary(10, 8, posenc.Halves, []float64{-1.7, 0.4, 0, 0.003})
	b := orthonormal(rng, 10, 10)
	based, err := posenc.NewBased(b, inner)
	must(err)
	bt := b.T()
	add("grape-m:basis", posenctest.RotationCase{Rotation: based, Generator: sameFor(b.Mul(planesOf(inner)).Mul(bt)),
		Still: fixed([][]float64{bt.Row(2), bt.Row(6), bt.Row(8), bt.Row(9)})})

	for _, v := range [][2][]float64{
		{{1, 0, 0, 0}, {0, 1, 0, 0}},
		{{0.5, -1, 0.25, 2, 0.1}, {1, 0.5, -0.5, 0.75, -2}},
		{{1, 2, 3, 4}, {2, 4, 6, 8}},                         // parallel: s = 0
		{{1, 2, 3, 4}, {1 + 1e-9, 2, 3, 4}},                  // nearly so
		{{0, 0, 0}, {1, 2, 3}},                               // no generator
		{{1e-5, 0, 3e-6}, {2e-6, 1e-5, 0}},                   // slow
		{{30, -2, 1, 0, 0, 7}, {0.01, 0.2, -0.1, 0.3, 1, 0}}, // unlike lengths
	} {
		g, err := posenc.NewRank2(v[0], v[1])
		must(err)
		d := len(v[0])
		l := posenc.NewMatrix(d, d)
		for i := range d {
			for j := range d {
				l.Set(i, j, v[0][i]*v[1][j]-v[1][i]*v[0][j])
			}
		}
		add("grape-m:rank-2", posenctest.RotationCase{Rotation: g, Generator: sameFor(l)})
	}

	for _, r := range []int{1, 2, 4, 5} {
		e, lr := orthonormal(rng, 9, r), randomSkew(rng, r, 2)
		s, err := posenc.NewSubspace(e, lr)
		must(err)
		add("grape-m:subspace", posenctest.RotationCase{Rotation: s, Generator: sameFor(e.Mul(lr).Mul(e.T()))})
	}

	shared, err := posenc.GrapeM([]float64{0, -1, -2, -6}, 1, 8)
	must(err)
	add("grape-m:context", posenctest.RotationCase{Rotation: shared, Generator: sameFor(planesOf(shared))})

	var perHeadDense posenc.PerHead
	var dense []posenc.Matrix
	for _, l := range []posenc.Matrix{randomSkew(rng, 8, 1), degenerate(rng), posenc.NewMatrix(8, 8)} {
		s, err := posenc.NewDense(l)
		must(err)
		perHeadDense, dense = append(perHeadDense, s), append(dense, l)
	}
	must(perHeadDense.Check())
	add("liere", posenctest.RotationCase{Rotation: perHeadDense, KVHeads: 3, Generator: func(head, _ int) posenc.Matrix { return dense[head] }})

	for _, axes := range []int{2, 3} {
		a := gridOf(16, 14, axes, 100)
		must(a.Check())
		add("axial", posenctest.RotationCase{Rotation: a, Still: fixed([][]float64{unit(16, 14), unit(16, 15)}),
			Generator: func(_, axis int) posenc.Matrix { return planesOf(rotary(16, 14, posenc.Halves, a.InvFreq[axis])) }})
	}
	return out
}

// gridOf divides the planes among the axes, plane p to axis p mod axes: 2D and 3D
// GRAPE-M.
func gridOf(headDim, dim, axes int, base float64) posenc.Axial {
	a := posenc.Axial{HeadDim: headDim, Dim: dim, InvFreq: make([][]float64, axes), Gain: 1}
	for axis := range axes {
		a.InvFreq[axis] = make([]float64, dim/2)
	}
	for p, f := range posenc.InvFreq(base, dim) {
		a.InvFreq[p%axes][p] = f
	}
	return a
}

// degenerate has planes of one speed, the case in which eigenvectors are free.
func degenerate(rng *rand.Rand) posenc.Matrix {
	b := orthonormal(rng, 8, 8)
	return b.Mul(planesOf(rotary(8, 8, posenc.Halves, []float64{0.5, 0.5, 0.5, 0}))).Mul(b.T())
}

func TestRotations(t *testing.T) {
	for name, cases := range samples(t) {
		for _, c := range cases {
			t.Run(name, func(t *testing.T) { posenctest.RunRotation(t, c) })
		}
	}
}
