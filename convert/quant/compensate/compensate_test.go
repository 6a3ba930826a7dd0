package compensate

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/quant/nearest"
)

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// correlated are inputs whose columns depend on each other, some far larger than others,
// as a model's are.
func correlated(rng *rand.Rand, rows, n int) []float32 {
	mix, x, out := normal(rng, n*n), normal(rng, rows*n), make([]float32, rows*n)
	for i := range rows {
		for k := range n {
			size := x[i*n+k] * float32(math.Pow(float64(k+1), -0.7))
			for j := range n {
				out[i*n+j] += size * mix[k*n+j]
			}
		}
	}
	for j := range n {
		if j%17 == 0 {
			for i := range rows {
				out[i*n+j] *= 8
			}
		}
	}
	return out
}

func momentsOf(t interface{ Fatal(...any) }, n int, x []float32) *Moments {
	m := NewMoments(n)
	half := len(x) / n / 2 * n
	for _, part := range [][]float32{x[:half], x[half:]} {
		if err := m.Add(part); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// rounded rounds w and gives the numbers that its codes mean.
func rounded(t interface{ Fatal(...any) }, s nearest.Scheme, m *Moments, damping float64, w []float32) ([]float64, []*nearest.Line, Errors) {
	r, err := NewRounder(s, m, damping)
	if err != nil {
		t.Fatal(err)
	}
	n, rows := m.Size(), len(w)/m.Size()
	out, lines := make([]float64, len(w)), make([]*nearest.Line, rows)
	read := func(dst []float32, begin, end int) error { copy(dst, w[begin*n:end*n]); return nil }
	e, err := r.Each(rows, 3, 24, read, func(begin int, list []*nearest.Line) error {
		for i, l := range list {
			lines[begin+i] = &nearest.Line{Codes: append([]byte(nil), l.Codes...), Steps: append([]nearest.Step(nil), l.Steps...)}
			for j, q := range l.Codes {
				out[(begin+i)*n+j] = l.Steps[j/s.Block].Number(int(q))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, lines, e
}

// outputs is Σ |X (w − ŵ)ᵀ|² by the inputs themselves, in float64.
func outputs(x []float32, w []float32, of func(i int) float64, n int) float64 {
	sum := 0.0
	for row := 0; row < len(w); row += n {
		for i := 0; i < len(x); i += n {
			y := 0.0
			for j := range n {
				y += float64(x[i+j]) * (float64(w[row+j]) - of(row+j))
			}
			sum += y * y
		}
	}
	return sum
}

var all = []nearest.Scheme{{Bits: 4, Block: 32, Zeros: nearest.ZeroNone}, {Bits: 4, Block: 64, Zeros: nearest.ZeroCode}, {Bits: 4, Block: 32, Zeros: nearest.ZeroFloat}, {Bits: 8, Block: 32, Zeros: nearest.ZeroNone}}

// TestBetter: on dependent inputs the outputs' error is a fraction of that of rounding to
// nearest, which is measured through the inputs and not through their moments, and no
// row's is larger.
func TestBetter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n, rows = 160, 40
	x, w := correlated(rng, 600, n), normal(rng, rows*n)
	m := momentsOf(t, n, x)
	for _, s := range all {
		got, _, e := rounded(t, s, m, Damping, w)
		plain := make([]float64, len(w))
		line := s.NewLine(n)
		for i := range rows {
			if err := s.Round(w[i*n:(i+1)*n], 24, line); err != nil {
				t.Fatal(err)
			}
			for j := range n {
				plain[i*n+j] = line.Steps[j/s.Block].Number(int(line.Codes[j]))
			}
			of := func(list []float64) float64 {
				return outputs(x, w[i*n:(i+1)*n], func(j int) float64 { return list[i*n+j] }, n)
			}
			if a, b := of(plain), of(got); b > a*(1+1e-4) {
				t.Errorf("%v: row %d: error %v, rounding to nearest has %v", s, i, b, a)
			}
		}
		a, b := outputs(x, w, func(i int) float64 { return plain[i] }, n), outputs(x, w, func(i int) float64 { return got[i] }, n)
		t.Logf("%v: error %.4g of nearest's %.4g (%.3f)", s, b, a, b/a)
		if b > 0.35*a {
			t.Errorf("%v: error %v, rounding to nearest has %v: expected at most 0.35 of it", s, b, a)
		}
		if math.Abs(e.Nearest/a-1) > 1e-3 || math.Abs(e.Chosen/b-1) > 1e-3 {
			t.Errorf("%v: errors %+v, by the inputs %v and %v", s, e, a, b)
		}
	}
}

// TestIndependentInputs: where columns do not meet, nothing can be made good: each code is
// the nearest of its block's grid to the weight as it was.
func TestIndependentInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "scheme")
		n := rapid.IntRange(1, 100).Draw(t, "columns")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		x := make([]float32, n*n)
		for j := range n {
			x[j*n+j] = 3
		}
		w := normal(rng, 3*n)
		m := NewMoments(n)
		if err := m.Add(x); err != nil {
			t.Fatal(err)
		}
		_, lines, e := rounded(t, s, m, 0, w)
		for i, l := range lines {
			for j, q := range l.Codes {
				g := l.Steps[j/s.Block]
				want := math.Abs(g.Number(g.Code(w[i*n+j], s.Top())) - float64(w[i*n+j]))
				if off := math.Abs(g.Number(int(q)) - float64(w[i*n+j])); off > want*(1+1e-9)+1e-9 {
					t.Fatalf("%v: row %d, column %d: %v became code %d of %+v", s, i, j, w[i*n+j], q, g)
				}
			}
		}
		if e.Chosen > e.Nearest {
			t.Fatalf("%v: %+v", s, e)
		}
	})
}

// TestOnTheGrid: what lies on a grid stays on it, whatever the inputs.
func TestOnTheGrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	const n = 96
	m := momentsOf(t, n, correlated(rng, 300, n))
	w := make([]float32, 5*n)
	for i := range w {
		w[i] = float32(rng.IntN(16)-8) * 0.125
		if i%32 == 0 {
			w[i] = -1
		}
	}
	got, _, e := rounded(t, all[0], m, Damping, w)
	for i, x := range got {
		if x != float64(w[i]) {
			t.Fatalf("number %d: %v, was %v", i, x, w[i])
		}
	}
	if e.Chosen != 0 {
		t.Fatalf("errors %+v", e)
	}
}

// TestLeastSquares holds what a column's error does to the columns after it to the direct
// solution of the least squares problem, min over d_R of (e, d_R) H (e, d_R)ᵀ: gonum's
// solver of the remaining columns' own equations, which knows no factor.
func TestLeastSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	const n = 24
	m := momentsOf(t, n, correlated(rng, 100, n))
	for _, damping := range []float64{0, 0.05} {
		r, err := NewRounder(all[0], m, damping)
		if err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for j := range n {
			mean += float64(m.sum[j*n+j]) / n
		}
		h := func(i, j int) float64 {
			if i == j {
				return float64(m.sum[i*n+i]) + damping*mean
			}
			return float64(m.sum[i*n+j])
		}
		for j := range n - 1 {
			rest := n - 1 - j
			a, b := mat.NewDense(rest, rest, nil), mat.NewVecDense(rest, nil)
			for p := range rest {
				b.SetVec(p, -h(j+1+p, j))
				for q := range rest {
					a.Set(p, q, h(j+1+p, j+1+q))
				}
			}
			var d mat.VecDense
			if err := d.SolveVec(a, b); err != nil {
				t.Fatal(err)
			}
			for p := range rest {
				if got, want := float64(r.u[j*n+j+1+p]), d.AtVec(p); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Fatalf("damping %v: column %d pushes %v into column %d, least squares %v", damping, j, got, j+1+p, want)
				}
			}
		}
	}
}

// TestBruteForce compares the chosen codes of rows of four columns with the best of all
// 65536: never better than it on its own grid, and on the mean near it.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	const n = 4
	s := all[0]
	var mine, best, near float64
	for range 12 {
		x, w := correlated(rng, 50, n), normal(rng, n)
		m := momentsOf(t, n, x)
		_, lines, e := rounded(t, s, m, 1e-6, w)
		g := lines[0].Steps[0]
		least := math.Inf(1)
		for c := range 1 << 16 {
			sum := 0.0
			var d [n]float64
			for j := range n {
				d[j] = float64(w[j]) - g.Number(c>>(4*j)&15)
			}
			for i := range n {
				for j := range n {
					sum += d[i] * d[j] * float64(m.sum[i*n+j])
				}
			}
			least = min(least, sum)
		}
		if e.Chosen < least*(1-1e-3)-1e-9 && g != (nearest.Step{}) {
			t.Fatalf("error %v, the best of all codes of %+v has %v", e.Chosen, g, least)
		}
		mine, best, near = mine+e.Chosen, best+least, near+e.Nearest
	}
	t.Logf("best of all codes %.4g, compensated %.4g, nearest %.4g", best, mine, near)
	if mine > 6*best || mine > near {
		t.Errorf("errors: best of all codes %v, compensated %v, nearest %v", best, mine, near)
	}
}

// TestDeadColumn: a column that no input met neither stops the factor nor is used to hide
// errors in.
func TestDeadColumn(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	const n = 32
	x := correlated(rng, 100, n)
	for i := 5; i < len(x); i += n {
		x[i] = 0
	}
	w := normal(rng, 8*n)
	got, _, e := rounded(t, all[0], momentsOf(t, n, x), Damping, w)
	for i := 5; i < len(got); i += n {
		if math.Abs(got[i]-float64(w[i])) > 0.5 {
			t.Errorf("number %d: %v became %v", i, w[i], got[i])
		}
	}
	if e.Chosen > e.Nearest {
		t.Errorf("%+v", e)
	}
}

func TestRefused(t *testing.T) {
	m := NewMoments(4)
	if err := m.Add(make([]float32, 6)); err == nil {
		t.Error("rows of half of the columns: no error")
	}
	if err := m.Add([]float32{1, 2, float32(math.NaN()), 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRounder(all[0], m, Damping); err == nil {
		t.Error("moments that are no numbers: no error")
	}
	if _, err := NewRounder(nearest.Scheme{Bits: 5, Block: 32}, NewMoments(4), Damping); err == nil {
		t.Error("codes of 5 bits: no error")
	}
}
