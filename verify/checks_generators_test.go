package verify

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
)

// TestGeneratorLaws: a head whose planes, basis or closed form is not exp(tL), or whose
// generator is not skew, is found.
func TestGeneratorLaws(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(a *family.Attention)
	}{
		{"as it is", "", func(*family.Attention) {}},
		{"a basis turned over", "planes in a basis are not exp(tL)", func(a *family.Attention) { a.Generators.Q[1] = a.Generators.Q[1].T() }},
		{"a plane by −θ", "planes in a basis are not exp(tL)", func(a *family.Attention) { a.Spectra.InvFreq[1][0] *= -1 }},
		{"a frequency", "planes in a basis are not exp(tL)", func(a *family.Attention) { a.Spectra.InvFreq[1][3] *= 1 + 1e-6 }},
		{"another closed form", "the closed form is not exp(tL)", func(a *family.Attention) { a.Generators.Turn[1] = a.Generators.Turn[0] }},
		{"not skew", "head 1", func(a *family.Attention) {
			a.Generators.L[1].Set(0, 1, a.Generators.L[1].At(0, 1)+1e-4)
		}},
	} {
		dir := familytest.Learned(t, "../testdata", "llama-mixed")
		s, err := safetensors.OpenCheckpoint(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(s)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		a := m.Blocks[0].Attn()
		a.Generators.Q, a.Generators.L, a.Generators.Turn = slices.Clone(a.Generators.Q), []posenc.Matrix{a.Generators.L[0].Clone(), a.Generators.L[1].Clone()}, slices.Clone(a.Generators.Turn)
		c.change(a)
		var f finding
		lawsOf(&f, &ref.Exponentials{}, a, 0, 300, "head 0")
		if f.off > generatorLimit {
			t.Errorf("%s: head 0 is off by %v: %s", c.name, f.off, f.where)
		}
		lawsOf(&f, &ref.Exponentials{}, a, 1, 300, "head 1")
		switch {
		case c.want == "" && !(f.off <= generatorLimit):
			t.Errorf("%s: off by %v: %s", c.name, f.off, f.where)
		case c.want != "" && (f.off <= generatorLimit || !strings.Contains(f.where, c.want)):
			t.Errorf("%s: off by %v: %q, want %q", c.name, f.off, f.where, c.want)
		}
	}
}

// TestFastGenerators: the laws hold as far as they are looked at, of random generators of
// the sizes of heads that turn as slowly as RoPE and as fast as a block may, at any length;
// and a rate that is off by 1e-7 of it is found all the same.
func TestFastGenerators(t *testing.T) {
	for _, d := range []int{4, 8, 64, 128} {
		for _, rate := range []float64{1e-3, 1, family.MaxRadians} {
			draw, l := rand.New(rand.NewPCG(1, 2)), posenc.NewMatrix(d, d)
			for i := range d {
				for j := range i {
					v := draw.NormFloat64()
					l.Set(i, j, v)
					l.Set(j, i, -v)
				}
			}
			_, rates, err := posenc.SkewPlanes(l)
			if err != nil {
				t.Fatal(err)
			}
			for i := range l.Data {
				l.Data[i] *= rate / rates[0]
			}
			turn, err := posenc.NewDense(l)
			if err != nil {
				t.Fatal(err)
			}
			r := posenc.Rotary{HeadDim: d, Dim: d, Spectrum: posenc.Spectrum{InvFreq: make([]float64, d/2), Gain: 1}}
			a := &family.Attention{KVHeads: 1, Rotary: r, Generators: &family.Generators{
				L: []posenc.Matrix{l}, Q: []posenc.Matrix{turn.Lower(0).In(r, r.InvFreq)}, Turn: posenc.PerHead{turn}}}
			for _, last := range []int64{100, 4095, 1<<22 - 1} {
				var f finding
				lawsOf(&f, &ref.Exponentials{}, a, 0, last, "a head")
				if !(f.off <= generatorLimit/2) {
					t.Errorf("%d coordinates, %v a position, %d positions: off by %v: %s", d, rate, last, f.off, f.where)
				}
			}
			fastest := 0
			for p, theta := range r.InvFreq {
				if math.Abs(theta) > math.Abs(r.InvFreq[fastest]) {
					fastest = p
				}
			}
			r.InvFreq[fastest] *= 1 + 1e-7
			var f finding
			lawsOf(&f, &ref.Exponentials{}, a, 0, 1<<22-1, "a head")
			if !(f.off > generatorLimit) {
				t.Errorf("%d coordinates, %v a position: a rate off by 1e-7 of it moves the laws by %v alone", d, rate, f.off)
			}
		}
	}
}
