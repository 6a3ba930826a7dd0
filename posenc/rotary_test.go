package posenc

import (
	"math"
	"testing"
)

// rotaries are layers with every feature a rotation can have.
func rotaries() map[string]Rotary {
	plain := Spectrum{InvFreq: InvFreq(10000, 16), Gain: 1}
	mixed := Spectrum{InvFreq: []float64{1, 0.5, 0.01, 0}, Gain: 1}
	return map[string]Rotary{
		"halves":               {Spectrum: plain, HeadDim: 16, Dim: 16},
		"interleaved":          {Spectrum: plain, HeadDim: 16, Dim: 16, Pairing: Interleaved},
		"partial":              {Spectrum: mixed, HeadDim: 12, Dim: 8},
		"partial, interleaved": {Spectrum: mixed, HeadDim: 12, Dim: 8, Pairing: Interleaved},
	}
}

func sample(n int, phase float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Sin(2.3*float64(i)+phase) + 0.2
	}
	return x
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func turned(r Rotary, x []float64, pos int64) []float64 {
	y := append([]float64(nil), x...)
	r.Turn(y, 0, []float64{float64(pos)})
	return y
}

// One plane at a right angle and at one radian, by hand: y1 = x1 cos − x2 sin,
// y2 = x2 cos + x1 sin, the pass-through coordinate untouched.
func TestRotateByHand(t *testing.T) {
	half := Rotary{Spectrum: Spectrum{InvFreq: []float64{math.Pi / 2, 1}, Gain: 1}, HeadDim: 5, Dim: 4}
	x := []float64{1, 2, 3, 4, 5}
	c, s := math.Cos(1), math.Sin(1)
	for _, k := range []struct {
		pairing Pairing
		want    []float64
	}{
		{Halves, []float64{-3, 2*c - 4*s, 1, 4*c + 2*s, 5}},
		{Interleaved, []float64{-2, 1, 3*c - 4*s, 4*c + 3*s, 5}},
	} {
		half.Pairing = k.pairing
		for i, got := range turned(half, x, 1) {
			if math.Abs(got-k.want[i]) > 1e-15 {
				t.Errorf("%v: coordinate %d is %v, want %v", k.pairing, i, got, k.want[i])
			}
		}
	}
}

func TestRotateLaws(t *testing.T) {
	positions := []int64{0, 1, 2, 255, 256, 257, 4095, 131071, 1 << 20}
	for name, r := range rotaries() {
		t.Run(name, func(t *testing.T) {
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			q, k := sample(r.HeadDim, 0.1), sample(r.HeadDim, 1.7)
			for i, v := range turned(r, q, 0) {
				if v != q[i] {
					t.Errorf("position 0 changes coordinate %d from %v to %v", i, q[i], v)
				}
			}
			scale := math.Sqrt(dot(q, q) * dot(k, k))
			for _, pos := range positions {
				y := turned(r, q, pos)
				if e := apart(dot(y, y), dot(q, q)); e > 1e-14 {
					t.Errorf("position %d changes the norm by %.2g", pos, e)
				}
				for p := range r.Planes() {
					a, b := r.Coordinates(p)
					if r.InvFreq[p] == 0 && (y[a] != q[a] || y[b] != q[b]) {
						t.Errorf("position %d moves plane %d, which is position independent", pos, p)
					}
				}
				for i := r.Dim; i < r.HeadDim; i++ {
					if y[i] != q[i] {
						t.Errorf("position %d moves coordinate %d, which passes through", pos, i)
					}
				}
				// <R_i q, R_j k> is a function of i − j. The angle θ·pos is rounded
				// once, by at most pos·2^-53: 1e-10 radians at 2^20.
				for _, gap := range []int64{0, 1, 17, 300} {
					want := dot(turned(r, q, gap), k)
					if got := dot(turned(r, q, pos+gap), turned(r, k, pos)); math.Abs(got-want) > 1e-9*scale {
						t.Errorf("score at offset %d, gap %d: %v, want %v", pos, gap, got, want)
					}
				}
			}
			// and the gap does matter
			if a, b := dot(turned(r, q, 1), k), dot(turned(r, q, 3), k); math.Abs(a-b) < 1e-3*scale {
				t.Errorf("gaps 1 and 3 give one score %v", a)
			}
			// turning back undoes it
			for i, v := range turned(r, turned(r, q, 77), -77) {
				if math.Abs(v-q[i]) > 1e-14 {
					t.Errorf("turning to 77 and back moves coordinate %d from %v to %v", i, q[i], v)
				}
			}
		})
	}
}

func TestGainAndRemoval(t *testing.T) {
	r := Rotary{Spectrum: Spectrum{InvFreq: []float64{1, 0.1, 0}, Gain: 1.5, Removed: []bool{false, true, false}}, HeadDim: 8, Dim: 6}
	x := sample(8, 0.4)
	y := turned(r, x, 9)
	if y[1] != 0 || y[4] != 0 {
		t.Errorf("the removed plane is (%v, %v), want zeros", y[1], y[4])
	}
	if y[2] != 1.5*x[2] || y[5] != 1.5*x[5] {
		t.Errorf("the gain also multiplies a position-independent plane: (%v, %v), want 1.5 times (%v, %v)", y[2], y[5], x[2], x[5])
	}
	if y[6] != x[6] || y[7] != x[7] {
		t.Error("the gain leaves coordinates that pass through alone")
	}
	norm := func(v []float64) float64 { return math.Hypot(v[0], v[3]) }
	if e := apart(norm(y), 1.5*norm(x)); e > 1e-15 {
		t.Errorf("plane 0 has norm %v, want 1.5 times %v", norm(y), norm(x))
	}
	if c, s := r.CosSin(1, 9); c != 0 || s != 0 {
		t.Errorf("cos and sin of a removed plane are %v and %v", c, s)
	}
	clone := r.Clone()
	clone.InvFreq[0], clone.Removed[0] = 7, true
	if r.InvFreq[0] != 1 || r.Removed[0] {
		t.Error("editing a clone changed the original")
	}
}

// Far positions: the angle is formed in float64 from the integer position, so
// neighbours stay apart where a shorter type merges them.
func TestFarPositions(t *testing.T) {
	s := Spectrum{InvFreq: []float64{1, 1e-3}, Gain: 1}
	// by mpmath with 40 digits, the last from the double nearest 0.001
	for _, c := range []struct {
		plane    int
		pos      int64
		cos, sin float64
	}{
		{0, 131071, -0.81798349938794908071, -0.57524168375478937114},
		{0, 1 << 20, 0.94380839390131198401, 0.33049314002173467164},
		{1, 1 << 20, 0.75447249311820249911, -0.65633166701600181332},
	} {
		cos, sin := s.CosSin(c.plane, c.pos)
		if math.Abs(cos-c.cos) > 1e-12 || math.Abs(sin-c.sin) > 1e-12 {
			t.Errorf("plane %d at %d: (%v, %v), want (%v, %v)", c.plane, c.pos, cos, sin, c.cos, c.sin)
		}
	}
	for _, pos := range []int64{256, 65536, 1 << 20, 1 << 24} {
		a, _ := s.CosSin(0, pos)
		b, _ := s.CosSin(0, pos+1)
		if a == b {
			t.Errorf("positions %d and %d are merged", pos, pos+1)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Rotary{Spectrum: Spectrum{InvFreq: []float64{1}, Gain: 1}, HeadDim: 4, Dim: 2}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Rotary){
		"head size":    func(r *Rotary) { r.HeadDim = 0 },
		"odd":          func(r *Rotary) { r.Dim = 3 },
		"too wide":     func(r *Rotary) { r.Dim = 6 },
		"planes":       func(r *Rotary) { r.InvFreq = nil },
		"marks":        func(r *Rotary) { r.Removed = make([]bool, 2) },
		"gain":         func(r *Rotary) { r.Gain = math.NaN() },
		"infinite":     func(r *Rotary) { r.InvFreq = []float64{math.Inf(1)} },
		"not a number": func(r *Rotary) { r.InvFreq = []float64{math.NaN()} },
	} {
		bad := good
		edit(&bad)
		if bad.Check() == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestPairingNames(t *testing.T) {
	if Halves.String() != "halves" || Interleaved.String() != "interleaved" {
		t.Errorf("names %v and %v", Halves, Interleaved)
	}
}
