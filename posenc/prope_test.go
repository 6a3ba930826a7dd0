package posenc

import (
	"math"
	"slices"
	"testing"
)

// Three quarters of the golden model's 8 planes are 6: base 300^(−p/8).
func TestPRoPE(t *testing.T) {
	src := gqa()
	s := target(t, "p-rope", src)
	want := []float64{1, 0.4901848033277607, 0.24028114141347542, 0.1177821640471343, 0.057735026918962574, 0.02830083281539464, 0, 0}
	for p, f := range s.InvFreq {
		if math.Abs(f-want[p]) > 1e-13 {
			t.Errorf("plane %d turns by %.15g, want %.15g", p, f, want[p])
		}
	}
	if s.Gain != 1 || s.Removed != nil {
		t.Errorf("attention factor %v, removed %v; want 1 and none", s.Gain, s.Removed)
	}
	if !slices.Equal(src.Current.InvFreq, src.Unscaled) {
		t.Error("p-rope changed its source")
	}
}

// transformers declares the same planes by rope type "proportional" (its
// spectra are in testdata/rope_types.json).
func TestPRoPEIsProportional(t *testing.T) {
	found := false
	for _, c := range ropeCases(t) {
		if c.Rope.Type != "proportional" || or(c.Rope.Partial, 1) != PRoPEShare {
			continue
		}
		found = true
		p := c.params()
		base := p.Base()
		got := PRoPE(PRoPEShare, Source{Declared: p, Unscaled: base, Current: Spectrum{InvFreq: base, Gain: 1}})
		for i, want := range c.InvFreq64 {
			if d := apart(got.InvFreq[i], want); !(d <= 1e-13) {
				t.Errorf("%s: plane %d turns by %v, want %v", c.Name, i, got.InvFreq[i], want)
			}
		}
	}
	if !found {
		t.Error("no case of three quarters in rope_types.json")
	}
}

// A share that is no whole number of planes is rounded down, the fastest planes
// are kept whatever their order, and what the source's own spectrum says of
// them, its attention factor too, stays.
func TestPRoPEKeepsTheFastest(t *testing.T) {
	src := Source{Unscaled: []float64{0.1, 3, 0.5, 2, 0.2}, Current: Spectrum{InvFreq: []float64{0.05, 3, 0.25, 1, 0.1}, Gain: 1.5}}
	got := PRoPE(0.75, src) // 3.75 planes
	if want := []float64{0, 3, 0.25, 1, 0}; !slices.Equal(got.InvFreq, want) || got.Gain != 1.5 {
		t.Errorf("%v with attention factor %v, want %v and 1.5", got.InvFreq, got.Gain, want)
	}
	if got := PRoPE(1, src); !slices.Equal(got.InvFreq, src.Current.InvFreq) {
		t.Errorf("all planes: %v, want the source's %v", got.InvFreq, src.Current.InvFreq)
	}
	if got := PRoPE(0, src); len(zeros(got)) != 5 {
		t.Errorf("no plane: %v", got.InvFreq)
	}
}
