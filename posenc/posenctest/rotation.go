package posenctest

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/posenc"
)

// RotationCase is one rotation with what the suite needs to judge it.
type RotationCase struct {
	// Rotation is the one to judge; KVHeads how many key/value heads it serves.
	Rotation posenc.Rotation
	KVHeads  int
	// Generator returns L of one head and axis (d × d, radians per position),
	// built from the definition and not from the implementation, so that
	// R(t) = exp(Σ_axes t_axis L).
	Generator func(head, axis int) posenc.Matrix
	// Still holds vectors that no place may move.
	Still func(head int) [][]float64
}

// RunRotation runs the laws on every head.
func RunRotation(t *testing.T, c RotationCase) {
	for head := range c.KVHeads {
		t.Run(fmt.Sprintf("head %d", head), func(t *testing.T) {
			j := judge{c: c, head: head, d: c.Rotation.Size(), axes: c.Rotation.Axes()}
			for _, inv := range c.Rotation.Lower(head).Planes.InvFreq {
				for _, f := range inv {
					j.fastest = max(j.fastest, math.Abs(f))
				}
			}
			t.Run("start", j.start)
			t.Run("norm and inverse", j.norm)
			t.Run("relative law", j.relative)
			t.Run("composition", j.composition)
			t.Run("matrix exponential", j.exponential)
			t.Run("still", j.still)
			t.Run("planes", j.planes)
			t.Run("fold", j.fold)
		})
	}
}

type judge struct {
	c       RotationCase
	head    int
	d, axes int
	// fastest is the largest |θ|: how many radians one position can turn.
	fastest float64
}

// turned returns R(at)x.
func (j judge) turned(x, at []float64) []float64 {
	y := cloned(x)
	j.c.Rotation.Turn(y, j.head, at)
	return y
}

// rounding bounds the error of a coordinate or a score per unit of length, after
// turning to places of this total magnitude: the angles' own rounding (one per
// axis and its sum), and three dense products of d terms, twice as many
// roundings as terms.
func (j judge) rounding(magnitude float64) float64 {
	return eps * (2*float64(j.axes+1)*j.fastest*magnitude + 6*2*float64(j.d))
}

func (j judge) vector(t *rapid.T, name string) []float64 { return vector(t, name, j.d) }

// vector draws n numbers from −1 to 1 in steps of 2^-20, so that no length
// underflows.
func vector(t *rapid.T, name string, n int) []float64 {
	out := make([]float64, n)
	for i, v := range rapid.SliceOfN(rapid.IntRange(-farthest, farthest), n, n).Draw(t, name) {
		out[i] = float64(v) / farthest
	}
	return out
}

// place draws whole positions up to limit, the kinds that matter more often.
func (j judge) place(t *rapid.T, name string, limit int64) []float64 {
	at := make([]float64, j.axes)
	for i := range at {
		at[i] = float64(rapid.OneOf(rapid.Int64Range(0, limit), rapid.SampledFrom([]int64{0, 1, limit/2 + 1, limit})).Draw(t, name))
	}
	return at
}

func total(at ...[]float64) float64 {
	s := 0.0
	for _, a := range at {
		for _, v := range a {
			s += math.Abs(v)
		}
	}
	return s
}

func added(a, b []float64) []float64 {
	out := cloned(a)
	for i, v := range b {
		out[i] += v
	}
	return out
}

func scaledBy(a []float64, f float64) []float64 {
	out := cloned(a)
	for i := range out {
		out[i] *= f
	}
	return out
}

// near reports a coordinate of got that is off by more than the bound.
func near(t interface {
	Helper()
	Errorf(string, ...any)
}, what string, got, want []float64, bound float64) {
	t.Helper()
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= bound) {
			t.Errorf("%s: coordinate %d is %v, want %v: off by %.3g, bound %.3g", what, i, v, want[i], math.Abs(v-want[i]), bound)
			return
		}
	}
}

// start: R_0 = I.
func (j judge) start(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := j.vector(t, "x")
		near(t, "R_0 x", j.turned(x, make([]float64, j.axes)), x, j.rounding(0)*length(x))
	})
}

// norm: ‖R x‖ = ‖x‖, and turning back undoes it.
func (j judge) norm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, at := j.vector(t, "x"), j.place(t, "at", farthest)
		y := j.turned(x, at)
		// an angle's rounding moves x along the circle, not off it
		if off := math.Abs(length(y) - length(x)); off > j.rounding(0)*length(x) {
			t.Errorf("at %v the length changes by %.3g", at, off)
		}
		near(t, "there and back", j.turned(y, scaledBy(at, -1)), x, 2*j.rounding(0)*length(x))
	})
}

// relative: <R_{a+n} q, R_a k> = <R_n q, k>, per axis.
func (j judge) relative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, k := j.vector(t, "q"), j.vector(t, "k")
		a, n := j.place(t, "offset", farthest), j.place(t, "gap", 4096)
		want := dot(j.turned(q, n), k)
		got := dot(j.turned(q, added(a, n)), j.turned(k, a))
		if bound := 2 * j.rounding(total(a, added(a, n), n)) * length(q) * length(k); !(math.Abs(got-want) <= bound) {
			t.Errorf("offset %v, gap %v: score %v, want %v: off by %.3g, bound %.3g", a, n, got, want, math.Abs(got-want), bound)
		}
	})
	if j.fastest > 1e-2 { // and the gap does matter, where it turns enough to tell
		q := make([]float64, j.d)
		for i := range q {
			q[i] = math.Sin(float64(3*i + 1))
		}
		one, three := make([]float64, j.axes), make([]float64, j.axes)
		for i := range one {
			one[i], three[i] = 1, 3
		}
		if a, b := dot(j.turned(q, one), q), dot(j.turned(q, three), q); math.Abs(a-b) < 1e-6*dot(q, q) {
			t.Errorf("gaps 1 and 3 give one score: %v and %v", a, b)
		}
	}
}

// composition: exp(L)^n = exp(nL).
func (j judge) composition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, step := j.vector(t, "x"), j.place(t, "step", 64)
		n := rapid.IntRange(0, 48).Draw(t, "n")
		y := cloned(x)
		for range n {
			y = j.turned(y, step)
		}
		bound := (float64(n+1)*j.rounding(0) + 2*j.rounding(float64(n)*total(step))) * length(x)
		near(t, fmt.Sprintf("%d steps of %v", n, step), y, j.turned(x, scaledBy(step, float64(n))), bound)
	})
}

// exponential: Turn is exp(Σ t L)x, by gonum's matrix exponential.
func (j judge) exponential(t *testing.T) {
	generators := make([]*mat.Dense, j.axes)
	for axis := range generators {
		l := j.c.Generator(j.head, axis)
		generators[axis] = mat.NewDense(j.d, j.d, cloned(l.Data))
	}
	rapid.Check(t, func(t *rapid.T) {
		x := j.vector(t, "x")
		sum, e := mat.NewDense(j.d, j.d, nil), mat.NewDense(j.d, j.d, nil)
		at := make([]float64, j.axes)
		for axis, l := range generators {
			at[axis] = rapid.Float64Range(-20, 20).Draw(t, "at")
			var part mat.Dense
			part.Scale(at[axis], l)
			sum.Add(sum, &part)
		}
		e.Exp(sum)
		var want mat.VecDense
		want.MulVec(e, mat.NewVecDense(j.d, cloned(x)))
		// scaling and squaring multiplies its relative error, d·eps, by ‖tL‖;
		// the planes' frequencies carry d·eps·‖L‖ from the reduction
		bound := 16 * float64(j.d) * eps * (1 + mat.Norm(sum, 1)) * length(x)
		near(t, fmt.Sprintf("at %v", at), j.turned(x, at), want.RawVector().Data, bound)
	})
}

// still: position-independent planes and coordinates outside stay put.
func (j judge) still(t *testing.T) {
	if j.c.Still == nil {
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		at := j.place(t, "at", farthest)
		for i, v := range j.c.Still(j.head) {
			near(t, fmt.Sprintf("still vector %d at %v", i, at), j.turned(v, at), v, j.rounding(0)*length(v))
		}
	})
}

// planes: the lowered form has an orthonormal basis and the same scores.
func (j judge) planes(t *testing.T) {
	form := j.c.Rotation.Lower(j.head)
	if err := form.Planes.Check(); err != nil {
		t.Fatal(err)
	}
	if form.Planes.Size() != j.d || form.Planes.Axes() != j.axes {
		t.Fatalf("planes of size %d and %d axes, want %d and %d", form.Planes.Size(), form.Planes.Axes(), j.d, j.axes)
	}
	if form.Basis != nil {
		if off := form.Basis.Orthogonality(); off > 16*float64(j.d)*eps {
			t.Errorf("BᵀB differs from I by %.3g", off)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		q, k := j.vector(t, "q"), j.vector(t, "k")
		a, b := j.place(t, "i", farthest), j.place(t, "j", farthest)
		want := dot(j.turned(q, a), j.turned(k, b))
		got := dot(folded(form, q, a), folded(form, k, b))
		if bound := 2 * j.rounding(total(a, b)) * length(q) * length(k); !(math.Abs(got-want) <= bound) {
			t.Errorf("places %v and %v: score %v, want %v", a, b, got, want)
		}
	})
}

// folded is planes(t)·Bᵀx: what a layer computes once the basis is folded into its
// projections. Scores agree with Turn's, coordinates need not.
func folded(form posenc.PlaneForm, x, at []float64) []float64 {
	out := cloned(x)
	if form.Basis != nil {
		out = form.Basis.T().Apply(x)
	}
	form.Planes.Turn(out, 0, at)
	return out
}

// fold: projections with the basis folded in give the same scores.
func (j judge) fold(t *testing.T) {
	form := j.c.Rotation.Lower(j.head)
	const hidden = 5
	rapid.Check(t, func(t *rapid.T) {
		rows := func(name string) [][]float64 {
			out := make([][]float64, j.d)
			for i := range out {
				out[i] = vector(t, name, hidden)
			}
			return out
		}
		project := func(w [][]float64, x []float64) []float64 {
			y := make([]float64, len(w))
			for i, r := range w {
				y[i] = dot(r, x)
			}
			return y
		}
		wq, wk := rows("W_q"), rows("W_k")
		x, y := vector(t, "x", hidden), vector(t, "y", hidden)
		a, b := j.place(t, "i", 8192), j.place(t, "j", 8192)
		q, k := project(wq, x), project(wk, y)
		want := dot(j.turned(q, a), j.turned(k, b))
		if form.Basis != nil {
			for _, w := range [][][]float64{wq, wk} {
				if err := posenc.FoldBasis(w, *form.Basis); err != nil {
					t.Fatal(err)
				}
			}
		}
		q, k = project(wq, x), project(wk, y)
		form.Planes.Turn(q, 0, a)
		form.Planes.Turn(k, 0, b)
		// entries up to 1 in rows of hidden: lengths up to √d·hidden
		if bound := 4 * j.rounding(total(a, b)) * float64(j.d) * hidden * hidden; !(math.Abs(dot(q, k)-want) <= bound) {
			t.Errorf("places %v and %v: score %v, want %v", a, b, dot(q, k), want)
		}
	})
}
