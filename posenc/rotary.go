package posenc

import (
	"errors"
	"fmt"
	"math"
)

// ErrUnsupported marks what pecvt knows to exist and does not do. Errors that
// wrap it say what was found and what can be done instead.
var ErrUnsupported = errors.New("not supported")

// Pairing says which two coordinates of a head form a plane.
type Pairing uint8

const (
	// Halves pairs coordinate p with p + r/2 (Hugging Face).
	Halves Pairing = iota
	// Interleaved pairs coordinate 2p with 2p+1 (GPT-J, GLM, llama2.c).
	Interleaved
)

// String returns "halves" or "interleaved".
func (p Pairing) String() string {
	if p == Interleaved {
		return "interleaved"
	}
	return "halves"
}

// Spectrum is what one rotary layer's planes do, without saying which
// coordinates they hold.
type Spectrum struct {
	// InvFreq holds θ per plane in radians per position; 0 is position
	// independent.
	InvFreq []float64
	// Gain is the attention factor: cos and sin of every plane are multiplied
	// by it, those of position-independent planes included. 1 is none.
	Gain float64
	// Removed marks planes whose coordinates leave the score (cos = sin = 0),
	// as HoPE's ablation AB3 asks. Nil is none.
	Removed []bool
}

// Clone returns a deep copy.
func (s Spectrum) Clone() Spectrum {
	c := Spectrum{InvFreq: append([]float64(nil), s.InvFreq...), Gain: s.Gain}
	if s.Removed != nil {
		c.Removed = append([]bool(nil), s.Removed...)
	}
	return c
}

// CosSin returns gain·cos(θ_p t) and gain·sin(θ_p t), or 0 and 0 for a removed
// plane. It panics if p is no plane of the spectrum.
func (s Spectrum) CosSin(p int, pos int64) (cos, sin float64) {
	if s.Removed != nil && s.Removed[p] {
		return 0, 0
	}
	sin, cos = math.Sincos(s.Angle(p, pos))
	return s.Gain * cos, s.Gain * sin
}

// Angle returns θ_p·t in radians.
func (s Spectrum) Angle(p int, pos int64) float64 { return s.InvFreq[p] * float64(pos) }

// Rotary is one layer's block-diagonal rotation of queries and keys
// (arXiv 2104.09864): y1 = x1 cos − x2 sin, y2 = x2 cos + x1 sin in every
// plane, with one spectrum for all heads.
type Rotary struct {
	Spectrum
	// HeadDim is the head size d.
	HeadDim int
	// Dim is the rotary dimension r: the first r coordinates are paired into
	// r/2 planes, the other d − r pass through unchanged.
	Dim     int
	Pairing Pairing
}

// Planes returns r/2.
func (r Rotary) Planes() int { return r.Dim / 2 }

// Check reports whether the fields agree with each other.
func (r Rotary) Check() error {
	switch {
	case r.HeadDim <= 0:
		return fmt.Errorf("rotary: head size %d: expected a positive number", r.HeadDim)
	case r.Dim < 0 || r.Dim > r.HeadDim || r.Dim%2 != 0:
		return fmt.Errorf("rotary: rotary dimension %d of head size %d: expected an even number of at most the head size", r.Dim, r.HeadDim)
	case len(r.InvFreq) != r.Planes():
		return fmt.Errorf("rotary: %d inverse frequencies for %d planes", len(r.InvFreq), r.Planes())
	case r.Removed != nil && len(r.Removed) != r.Planes():
		return fmt.Errorf("rotary: %d removal marks for %d planes", len(r.Removed), r.Planes())
	case math.IsNaN(r.Gain) || math.IsInf(r.Gain, 0):
		return fmt.Errorf("rotary: attention factor %v: expected a finite number", r.Gain)
	case r.Gain == 0 && r.Dim > 0:
		return fmt.Errorf("rotary: attention factor 0 makes every score 0: expected 1 where there is none")
	}
	for p, f := range r.InvFreq {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("rotary: plane %d: inverse frequency %v: expected a finite number", p, f)
		}
	}
	return nil
}

// Coordinates returns the two coordinates of plane p.
func (r Rotary) Coordinates(p int) (first, second int) {
	if r.Pairing == Interleaved {
		return 2 * p, 2*p + 1
	}
	return p, p + r.Dim/2
}
