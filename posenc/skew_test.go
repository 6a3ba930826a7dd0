package posenc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func skewOf(rng *rand.Rand, n int) Matrix {
	upper := make([]float64, n*(n-1)/2)
	for i := range upper {
		upper[i] = rng.NormFloat64()
	}
	l, err := SkewFromUpper(upper, n)
	if err != nil {
		panic(err)
	}
	return l
}

// rebuilt returns B·J(θ)·Bᵀ.
func rebuilt(b Matrix, inv []float64) Matrix {
	t := NewMatrix(b.Cols, b.Cols)
	for p, f := range inv {
		t.Set(p, p+len(inv), -f)
		t.Set(p+len(inv), p, f)
	}
	return b.Mul(t).Mul(b.T())
}

func difference(a, b Matrix) float64 {
	d := a.Clone()
	for i, v := range b.Data {
		d.Data[i] -= v
	}
	return maxAbs(d)
}

// TestSkewPlanes: B is orthonormal, B T Bᵀ is L, and the frequencies are the
// eigenvalues' imaginary parts by gonum.
func TestSkewPlanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 3, 4, 5, 8, 16, 33, 64, 96} {
		for _, size := range []float64{1, 1e-30, 1e30} {
			t.Run(fmt.Sprintf("%d rows of %g", n, size), func(t *testing.T) {
				l := skewOf(rng, n)
				for i := range l.Data {
					l.Data[i] *= size
				}
				b, inv, err := SkewPlanes(l)
				if err != nil {
					t.Fatal(err)
				}
				// n reflections of n coordinates each
				bound := 16 * float64(n) * 0x1p-53
				if off := b.Orthogonality(); off > bound {
					t.Errorf("BᵀB differs from I by %.3g, bound %.3g", off, bound)
				}
				if off := difference(rebuilt(b, inv), l); off > bound*float64(n)*maxAbs(l) {
					t.Errorf("B T Bᵀ differs from L by %.3g of %.3g", off, maxAbs(l))
				}
				if n < 2 {
					return
				}
				var eigen mat.Eigen
				if !eigen.Factorize(mat.NewDense(n, n, append([]float64(nil), l.Data...)), mat.EigenNone) {
					t.Fatal("gonum found no eigenvalues")
				}
				var want []float64
				for _, v := range eigen.Values(nil) {
					if imag(v) >= 0 {
						want = append(want, imag(v))
					}
				}
				at := order(want)
				for p, f := range inv {
					if off := math.Abs(f - want[at[p]]); off > bound*float64(n)*maxAbs(l) {
						t.Errorf("plane %d turns by %v, eigenvalue %v", p, f, want[at[p]])
					}
					if f < 0 || p > 0 && f > inv[p-1] {
						t.Errorf("plane %d turns by %v after %v: expected falling, none negative", p, f, inv[p-1])
					}
				}
			})
		}
	}
}

// Slow planes beside fast ones keep their digits: nothing is squared.
func TestSkewKeepsSlowPlanes(t *testing.T) {
	want := []float64{3, 1, 1e-4, 1e-9}
	l := NewMatrix(9, 9)
	for p, f := range want {
		l.Set(2*p, 2*p+1, f)
		l.Set(2*p+1, 2*p, -f)
	}
	b, inv, err := SkewPlanes(l)
	if err != nil {
		t.Fatal(err)
	}
	for p, f := range inv {
		if f != want[p] {
			t.Errorf("plane %d turns by %v, want %v", p, f, want[p])
		}
	}
	if off := b.Orthogonality(); off > 1e-15 {
		t.Errorf("BᵀB differs from I by %.3g", off)
	}
	// turned into a random basis, the absolute accuracy is that of L's elements
	rng := rand.New(rand.NewPCG(7, 8))
	q, _, err := SkewPlanes(skewOf(rng, 9))
	if err != nil {
		t.Fatal(err)
	}
	_, inv, err = SkewPlanes(q.Mul(l).Mul(q.T()))
	if err != nil {
		t.Fatal(err)
	}
	for p, f := range inv {
		if math.Abs(f-want[p]) > 1e-14 {
			t.Errorf("in another basis plane %d turns by %v, want %v", p, f, want[p])
		}
	}
}

// Denormals, whose inverses are no numbers, are taken for nothing beside larger elements.
func TestSkewOfDenormals(t *testing.T) {
	for _, tiny := range []float64{5e-324, 1e-310, 1e-200, -1e-309} {
		for at := range 7 * 7 {
			i, j := at/7, at%7
			if i == j {
				continue
			}
			l := NewMatrix(7, 7)
			for p, f := range []float64{0.5, 2} {
				l.Set(p, p+2, f)
				l.Set(p+2, p, -f)
			}
			l.Set(i, j, l.At(i, j)+tiny)
			l.Set(j, i, -l.At(i, j))
			b, inv, err := SkewPlanes(l)
			if err != nil {
				t.Fatal(err)
			}
			if off := b.Orthogonality(); !(off < 1e-14) {
				t.Errorf("%g at %d, %d: BᵀB differs from I by %.3g", tiny, i, j, off)
			}
			if off := difference(rebuilt(b, inv), l); !(off < 1e-14) {
				t.Errorf("%g at %d, %d: B T Bᵀ differs from L by %.3g, by frequencies of %v", tiny, i, j, off, inv)
			}
		}
	}
}

func TestSkewErrors(t *testing.T) {
	symmetric := NewMatrix(2, 2)
	symmetric.Set(0, 1, 1)
	symmetric.Set(1, 0, 1)
	infinite := NewMatrix(2, 2)
	infinite.Set(0, 1, math.Inf(1))
	diagonal := Identity(3)
	for name, l := range map[string]Matrix{"symmetric": symmetric, "infinite": infinite, "diagonal": diagonal,
		"not square": NewMatrix(2, 3), "short": {Rows: 2, Cols: 2, Data: make([]float64, 3)}} {
		if _, _, err := SkewPlanes(l); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := SkewFromUpper(make([]float64, 5), 4); err == nil {
		t.Error("5 parameters made 4 rows")
	}
	if _, err := NewDense(symmetric); err == nil {
		t.Error("a symmetric generator was accepted")
	}
	for name, c := range map[string][2]Matrix{
		"more columns than rows": {NewMatrix(2, 3), NewMatrix(3, 3)},
		"unlike sizes":           {Identity(4), NewMatrix(3, 3)},
		"not orthonormal":        {Matrix{Rows: 2, Cols: 1, Data: []float64{1, 1}}, NewMatrix(1, 1)},
	} {
		if _, err := NewSubspace(c[0], c[1]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
