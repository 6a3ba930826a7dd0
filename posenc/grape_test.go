package posenc

import (
	"math"
	"testing"
)

// TestRank2ByHand: a = e1, b = e2 is the paper's J, which turns by −t:
// exp(tJ) = [[cos t, sin t], [−sin t, cos t]].
func TestRank2ByHand(t *testing.T) {
	g, err := NewRank2([]float64{1, 0, 0}, []float64{0, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	if g.Rate() != 1 {
		t.Errorf("s = %v", g.Rate())
	}
	x := []float64{2, 3, 5}
	g.Turn(x, 0, []float64{0.7})
	c, s := math.Cos(0.7), math.Sin(0.7)
	for i, want := range []float64{2*c + 3*s, 3*c - 2*s, 5} {
		if math.Abs(x[i]-want) > 1e-15 {
			t.Errorf("coordinate %d is %v, want %v", i, x[i], want)
		}
	}
	// s = √(αβ − γ²) with α = 14, β = 5, γ = 5
	g, err = NewRank2([]float64{1, 2, 3}, []float64{2, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(g.Rate()-math.Sqrt(14*5-25)) > 1e-14 {
		t.Errorf("s = %v, want √45", g.Rate())
	}
	// nearly parallel: αβ − γ² is 0 in float64, s is not
	g, err = NewRank2([]float64{1, 1}, []float64{1, 1 + 0x1p-40})
	if err != nil {
		t.Fatal(err)
	}
	if want := 0x1p-40; math.Abs(g.Rate()-want) > 1e-3*want {
		t.Errorf("s = %v, want %v", g.Rate(), want)
	}
	for name, v := range map[string][2][]float64{"unlike": {{1, 2}, {1}}, "one coordinate": {{1}, {1}}, "infinite": {{1, 2}, {math.Inf(1), 0}}, "not a number": {{math.NaN(), 1}, {1, 1}}} {
		if _, err := NewRank2(v[0], v[1]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSeriesGuards: both quotients run through 0 without a step.
func TestSeriesGuards(t *testing.T) {
	if sinc(0) != 1 || cosc(0) != 0.5 {
		t.Errorf("at 0: %v and %v", sinc(0), cosc(0))
	}
	for _, z := range []float64{1e-300, 1e-8, 9.99e-4, 1.001e-3, 2.001e-3, 0.1, 1, 3} {
		// Taylor's series, summed until it ends: exact for small z, and the
		// alternating terms stay below e^3 for the others
		s, c, term := 0.0, 0.0, 1.0
		for k := range 30 {
			if k%2 == 0 {
				s += term / float64(k+1) // sin z / z
				c += term / float64((k+1)*(k+2))
			}
			term *= z / float64(k+1)
			if k%2 == 1 {
				term = -term
			}
		}
		for _, z := range []float64{z, -z} {
			if math.Abs(sinc(z)-s) > 4e-15 || math.Abs(cosc(z)-c) > 4e-15 {
				t.Errorf("at %v: %v and %v, want %v and %v", z, sinc(z), cosc(z), s, c)
			}
		}
	}
}

// Signs is the basis that reverses a rotation, the second coordinate of every plane
// negated: GRAPE's −θ in Hugging Face's orientation.
func Signs(r Rotary) Matrix {
	b := Identity(r.HeadDim)
	for p := range r.Planes() {
		_, second := r.Coordinates(p)
		b.Set(second, second, -1)
	}
	return b
}

// TestFoldSigns: that basis folds, exactly.
func TestFoldSigns(t *testing.T) {
	for _, r := range []Rotary{
		{Spectrum: Spectrum{InvFreq: []float64{1, 0.1, 0}, Gain: 1}, HeadDim: 7, Dim: 6},
		{Spectrum: Spectrum{InvFreq: []float64{1, 0.1}, Gain: 1}, HeadDim: 4, Dim: 4, Pairing: Interleaved},
	} {
		rows := func(seed float64) [][]float64 {
			out := make([][]float64, r.HeadDim)
			for i := range out {
				out[i] = []float64{math.Sin(seed + float64(i)), math.Cos(seed * float64(i+1))}
			}
			return out
		}
		project := func(w [][]float64) []float64 {
			y := make([]float64, len(w))
			for i := range w {
				y[i] = w[i][0] - 0.5*w[i][1]
			}
			return y
		}
		score := func(r Rotary, wq, wk [][]float64) float64 {
			return dot(turned(r, project(wq), 12), turned(r, project(wk), 5))
		}
		wq, wk := rows(1), rows(2)
		want := score(r.Reversed(), wq, wk)
		for _, w := range [][][]float64{wq, wk} {
			if err := FoldBasis(w, Signs(r)); err != nil {
				t.Fatal(err)
			}
		}
		if got := score(r, wq, wk); got != want {
			t.Errorf("folded score %v, want %v exactly", got, want)
		}
		if r.Reversed().InvFreq[0] != -1 || r.InvFreq[0] != 1 || math.Signbit(r.Reversed().Reversed().InvFreq[1]) {
			t.Errorf("reversed %v", r.Reversed().InvFreq)
		}
	}
}

func TestFoldBasisErrors(t *testing.T) {
	rows := [][]float64{{1, 2}, {3, 4}}
	for name, c := range map[string]struct {
		rows  [][]float64
		basis Matrix
	}{"rows": {rows[:1], Identity(2)}, "shape": {rows, NewMatrix(2, 3)}, "ragged": {[][]float64{{1, 2}, {3}}, Identity(2)}} {
		if err := FoldBasis(c.rows, c.basis); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := FoldBasis(rows, Matrix{2, 2, []float64{0, 1, 1, 0}}); err != nil || rows[0][0] != 3 || rows[1][1] != 2 {
		t.Errorf("swapped rows are %v, %v", rows, err)
	}
	r := Rotary{Spectrum: Spectrum{InvFreq: []float64{1}, Gain: 1}, HeadDim: 2, Dim: 2}
	for name, b := range map[string]Matrix{"size": Identity(3), "not orthonormal": {2, 2, []float64{1, 1, 0, 1}}, "not a number": {2, 2, []float64{1, 0, 0, math.NaN()}}} {
		if _, err := NewBased(b, r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestGrapeMParameters(t *testing.T) {
	inv := []float64{1, 0.1, 0.01}
	log := make([]float64, len(inv))
	for p, f := range inv {
		log[p] = 16 * math.Log(f)
	}
	r, err := GrapeM(log, 16, 6)
	if err != nil {
		t.Fatal(err)
	}
	for p, f := range r.InvFreq {
		if math.Abs(f+inv[p]) > 1e-15 {
			t.Errorf("plane %d turns by %v, want −%v", p, f, inv[p])
		}
	}
	for name, call := range map[string]func() error{
		"scale":  func() error { _, err := GrapeM(log, 0, 6); return err },
		"planes": func() error { _, err := GrapeM(log, 1, 8); return err },
		"size":   func() error { _, err := GrapeM([]float64{1000}, 1, 2); return err },
		"sizes":  func() error { return PerHead{r, Rotary{HeadDim: 4}}.Check() },
		"axial":  func() error { return Axial{HeadDim: 4, Dim: 4}.Check() },
	} {
		if call() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok := (Axial{HeadDim: 2, Dim: 2, InvFreq: [][]float64{{1}, {2}}, Gain: 1}).Rotary(); ok {
		t.Error("two axes made one rotary")
	}
	if one, ok := r.Lower(0).Planes.Rotary(); !ok || one.InvFreq[1] != r.InvFreq[1] || one.HeadDim != 6 {
		t.Errorf("the planes of one axis are %v", one)
	}
}
