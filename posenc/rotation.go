package posenc

import (
	"fmt"
	"math"
)

// Rotation is the first of the two seams of an attention layer: it turns q and
// k, so that the score <R_i q, R_j k> holds the distance. The other seam is
// Bias; an encoding has one of them, both or neither.
//
// Every rotation satisfies R_0 = I, keeps the norm (times the attention factor
// where it has one), and <R_a q, R_b k> depends on a − b alone. Implementations
// are safe for concurrent use.
type Rotation interface {
	// Size returns the head size d.
	Size() int
	// Axes returns how many numbers a place has: 1 for text (the position, or
	// a contextual phase Φ), 2 or 3 for images and volumes.
	Axes() int
	// Turn turns the vector x (d coordinates) of key/value head head in place
	// to the place at (Axes numbers, in positions). A query head turns with the
	// key/value head that it reads. It panics on another length.
	Turn(x []float64, head int, at []float64)
	// Lower returns the rotation of one key/value head as planes in an
	// orthonormal basis, which is how graphs and checkpoints carry it.
	Lower(head int) PlaneForm
}

// PlaneForm is R(t) = B · planes(t) · Bᵀ. B cancels in the score, so a
// checkpoint carries it as W_q ← BᵀW_q, W_k ← BᵀW_k (FoldBasis) and the planes
// alone remain.
type PlaneForm struct {
	// Basis is B (d × d, orthonormal columns); nil is the identity.
	Basis *Matrix
	// Planes turns coordinates of that basis.
	Planes Axial
}

// In is the form of one axis with its planes paired as r pairs coordinates, all of
// which turn: it writes their frequencies, 0 where the form has fewer planes, and
// returns the basis with its columns in the order of r.
func (f PlaneForm) In(r Rotary, invFreq []float64) Matrix {
	d := r.HeadDim
	basis := Identity(d)
	if f.Basis != nil {
		basis = *f.Basis
	}
	own, ok := f.Planes.Rotary()
	if !ok || own.HeadDim != d || r.Dim != d || len(invFreq) != d/2 {
		panic(fmt.Sprintf("posenc: PlaneForm.In: heads of %d and %d coordinates, %d frequencies", own.HeadDim, d, len(invFreq)))
	}
	columns := make([]int, 0, d) // of the basis, plane by plane
	for p := range own.Planes() {
		x, y := own.Coordinates(p)
		columns = append(columns, x, y)
	}
	for j := own.Dim; j < d; j++ {
		columns = append(columns, j)
	}
	out := NewMatrix(d, d)
	for p := range invFreq {
		if invFreq[p] = 0; p < own.Planes() {
			invFreq[p] = own.InvFreq[p]
		}
		x, y := r.Coordinates(p)
		for i := range d {
			out.Set(i, x, basis.At(i, columns[2*p]))
			out.Set(i, y, basis.At(i, columns[2*p+1]))
		}
	}
	return out
}

// Size returns the head size d.
func (r Rotary) Size() int { return r.HeadDim }

// Axes returns 1.
func (r Rotary) Axes() int { return 1 }

// Turn is Rotate for a phase that need not be a whole position, such as a
// contextual Φ; all heads share the spectrum.
func (r Rotary) Turn(x []float64, _ int, at []float64) {
	mustFit("Rotary.Turn", x, r.HeadDim, at, 1)
	for p := range r.Planes() {
		c, s := r.CosSinAt(p, at[0])
		a, b := r.Coordinates(p)
		x[a], x[b] = x[a]*c-x[b]*s, x[b]*c+x[a]*s
	}
}

// Lower returns the planes themselves.
func (r Rotary) Lower(int) PlaneForm {
	return PlaneForm{Planes: Axial{HeadDim: r.HeadDim, Dim: r.Dim, Pairing: r.Pairing,
		InvFreq: [][]float64{r.InvFreq}, Gain: r.Gain, Removed: r.Removed}}
}

// CosSinAt returns gain·cos(θ_p φ) and gain·sin(θ_p φ) for a phase φ in
// positions, or 0 and 0 for a removed plane.
func (s Spectrum) CosSinAt(p int, phase float64) (cos, sin float64) {
	if s.Removed != nil && s.Removed[p] {
		return 0, 0
	}
	sin, cos = math.Sincos(s.InvFreq[p] * phase)
	return s.Gain * cos, s.Gain * sin
}

// PerHead gives every key/value head a rotation of its own, such as GRAPE-M's
// spectra per head (arXiv 2512.07805, section 3). All have one head size and
// one number of axes; a layer of n key/value heads has n entries.
type PerHead []Rotation

// Check reports an empty list or heads that do not fit each other.
func (p PerHead) Check() error {
	if len(p) == 0 {
		return fmt.Errorf("rotation per head: no heads")
	}
	for h, r := range p {
		if r.Size() != p[0].Size() || r.Axes() != p[0].Axes() {
			return fmt.Errorf("rotation per head: head %d has size %d and %d axes, head 0 has %d and %d: expected one size and number of axes",
				h, r.Size(), r.Axes(), p[0].Size(), p[0].Axes())
		}
	}
	return nil
}

// Size returns the head size d.
func (p PerHead) Size() int { return p[0].Size() }

// Axes returns how many numbers a place has.
func (p PerHead) Axes() int { return p[0].Axes() }

// Turn turns x as its head's entry says.
func (p PerHead) Turn(x []float64, head int, at []float64) { p[head].Turn(x, head, at) }

// Lower returns the plane form of one head's entry.
func (p PerHead) Lower(head int) PlaneForm { return p[head].Lower(head) }

func mustFit(what string, x []float64, size int, at []float64, axes int) {
	if len(x) != size || len(at) != axes {
		panic(fmt.Sprintf("posenc: %s: %d coordinates at a place of %d numbers: expected %d at %d", what, len(x), len(at), size, axes))
	}
}
