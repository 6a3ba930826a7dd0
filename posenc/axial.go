package posenc

import (
	"fmt"
	"math"
)

// Axial turns each plane by Σ_axes at[axis]·θ_{axis,p}: rotary encoding of
// places in a grid (2D and 3D GRAPE-M, arXiv 2512.07805; axial RoPE). The
// planes commute, so the relative law holds for every axis on its own. With one
// axis it is Rotary.
type Axial struct {
	// HeadDim is the head size d; the first Dim coordinates form Dim/2 planes.
	HeadDim, Dim int
	Pairing      Pairing
	// InvFreq holds θ in radians per position: one list of Dim/2 per axis.
	InvFreq [][]float64
	// Gain multiplies cos and sin of every plane; 1 is none.
	Gain float64
	// Removed is nil, or marks planes that leave the score.
	Removed []bool
}

// Check reports whether the fields agree with each other.
func (a Axial) Check() error {
	if len(a.InvFreq) == 0 {
		return fmt.Errorf("axial: no axes")
	}
	for axis, inv := range a.InvFreq {
		r := Rotary{Spectrum: Spectrum{InvFreq: inv, Gain: a.Gain, Removed: a.Removed}, HeadDim: a.HeadDim, Dim: a.Dim, Pairing: a.Pairing}
		if err := r.Check(); err != nil {
			return fmt.Errorf("axial: axis %d: %w", axis, err)
		}
	}
	return nil
}

// Rotary returns the planes of a rotation with one axis; ok is false for more.
func (a Axial) Rotary() (r Rotary, ok bool) {
	if len(a.InvFreq) != 1 {
		return Rotary{}, false
	}
	return Rotary{Spectrum: Spectrum{InvFreq: a.InvFreq[0], Gain: a.Gain, Removed: a.Removed},
		HeadDim: a.HeadDim, Dim: a.Dim, Pairing: a.Pairing}, true
}

// Size returns the head size d.
func (a Axial) Size() int { return a.HeadDim }

// Axes returns how many numbers a place has.
func (a Axial) Axes() int { return len(a.InvFreq) }

// Angle returns plane p's angle in radians at a place.
func (a Axial) Angle(p int, at []float64) float64 {
	angle := 0.0
	for axis, inv := range a.InvFreq {
		angle += inv[p] * at[axis]
	}
	return angle
}

// Turn turns x in place; all heads share the planes.
func (a Axial) Turn(x []float64, _ int, at []float64) {
	mustFit("Axial.Turn", x, a.HeadDim, at, len(a.InvFreq))
	pairs := Rotary{Dim: a.Dim, Pairing: a.Pairing}
	for p := range a.Dim / 2 {
		s, c := math.Sincos(a.Angle(p, at))
		s, c = s*a.Gain, c*a.Gain
		if a.Removed != nil && a.Removed[p] {
			s, c = 0, 0
		}
		i, j := pairs.Coordinates(p)
		x[i], x[j] = x[i]*c-x[j]*s, x[j]*c+x[i]*s
	}
}

// Lower returns the planes themselves.
func (a Axial) Lower(int) PlaneForm { return PlaneForm{Planes: a} }
