package posenc_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// TestSlopesAgainstTransformers compares every convention with transformers'
// own functions (testdata/gen_alibi.py), which work in float32.
func TestSlopesAgainstTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/alibi.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Positions []int64
		Heads     []struct {
			N                 int
			Bloom, MPT8, MPT4 []float64
			Falcon            [][]float64
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Heads) != 19 {
		t.Fatalf("%d head counts", len(want.Heads))
	}
	// torch raises a rounded base to the power k: k roundings, k at most 64
	same := func(n int, what string, got, want []float64) {
		if len(got) != n || len(want) != n {
			t.Errorf("%s: %d slopes for %d heads, transformers has %d", what, len(got), n, len(want))
			return
		}
		for h, v := range got {
			if math.Abs(v-want[h]) > 64*0x1p-24*want[h] {
				t.Errorf("%s, %d heads: head %d is %v, want %v", what, n, h, v, want[h])
			}
		}
	}
	falcons := 0
	for _, row := range want.Heads {
		s, err := posenc.Slopes(row.N)
		if err != nil {
			t.Fatal(err)
		}
		same(row.N, "bloom", s, row.Bloom)
		for biasMax, slopes := range map[float64][]float64{8: row.MPT8, 4: row.MPT4} {
			m, err := posenc.SlopesMPT(row.N, biasMax)
			if err != nil {
				t.Fatal(err)
			}
			same(row.N, "mpt", m, slopes)
		}
		if row.Falcon == nil {
			continue
		}
		falcons++
		f := falconOf(t, row.N, 1)
		for h, terms := range row.Falcon {
			// b from position 0 is the term itself; rounded alike, so equal
			in := posenc.BiasInput{Query: []int64{want.Positions[len(want.Positions)-1]}, Key: want.Positions}
			got := make([]float64, len(terms))
			f.Add(got, h, in)
			for j, v := range got {
				if v-got[0] != terms[j] {
					t.Errorf("falcon, %d heads: head %d at %d is %v, want %v", row.N, h, want.Positions[j], v-got[0], terms[j])
				}
			}
		}
	}
	if falcons != 3 {
		t.Errorf("%d cases of falcon", falcons)
	}
}

// The rows of the papers: 8 heads, and 6 heads of transformers' Bloom and MPT.
func TestSlopesByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		got  func() ([]float64, error)
		want []float64
	}{
		{"8 heads", func() ([]float64, error) { return posenc.Slopes(8) }, []float64{1. / 2, 1. / 4, 1. / 8, 1. / 16, 1. / 32, 1. / 64, 1. / 128, 1. / 256}},
		{"6 heads", func() ([]float64, error) { return posenc.Slopes(6) }, []float64{1. / 4, 1. / 16, 1. / 64, 1. / 256, 1. / 2, 1. / 8}},
		{"6 heads, mpt", func() ([]float64, error) { return posenc.SlopesMPT(6, 8) }, []float64{1. / 4, 1. / 16, 1. / 64, 1. / 256, 1. / 2, 1. / 8}},
		{"5 heads, mpt", func() ([]float64, error) { return posenc.SlopesMPT(5, 8) }, []float64{1. / 4, 1. / 16, 1. / 64, 1. / 256, 1. / 2}},
		{"3 heads, mpt, 4", func() ([]float64, error) { return posenc.SlopesMPT(3, 4) }, []float64{1. / 4, 1. / 16, 1. / 2}},
	} {
		got, err := c.got()
		if err != nil {
			t.Fatal(err)
		}
		for h, v := range got {
			if len(got) != len(c.want) || v != c.want[h] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
	for _, bad := range []func() ([]float64, error){
		func() ([]float64, error) { return posenc.Slopes(0) },
		func() ([]float64, error) { return posenc.SlopesMPT(0, 8) },
		func() ([]float64, error) { return posenc.SlopesMPT(4, 0) },
		func() ([]float64, error) { return posenc.SlopesMPT(4, math.Inf(1)) },
	} {
		if s, err := bad(); err == nil {
			t.Errorf("accepted: %v", s)
		}
	}
}

// TestALiBiRewriteParameters pins the numbers of the exact rewrites; that they
// are the same bias is in the conformance suite.
func TestALiBiRewriteParameters(t *testing.T) {
	slopes := []float64{0.5, 1. / 256}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-15*math.Abs(want) {
			t.Errorf("%s is %.17g, want %.17g", what, got, want)
		}
	}
	one, err := posenc.GatedFromALiBi(slopes, 4, false, true)
	if err != nil {
		t.Fatal(err)
	}
	near("omega, key-gated", one.Omega[0], 0.72134752044448170368) // 1/(2 ln 2)
	both, err := posenc.GatedFromALiBi(slopes, 4, true, true)
	if err != nil {
		t.Fatal(err)
	}
	near("omega, query-key-gated", both.Omega[0], 0.36067376022224085184)
	// the official parameter for ω = β/ln 2 with slope β is softplus⁻¹(1/ln 2)
	p := math.Log(math.Expm1(1 / math.Ln2))
	near("omega of the parameter", posenc.Omega([]float64{p, p}, slopes)[1], one.Omega[1])
	ap, err := posenc.PathIntegralFromALiBi(slopes, 8, 3)
	if err != nil {
		t.Fatal(err)
	}
	near("beta of grape-ap", ap.Beta[1], 1/256./math.Ln2)
	fox, err := posenc.FoXFromALiBi(slopes, 3)
	if err != nil {
		t.Fatal(err)
	}
	near("c of fox, β = 1/2", fox.C[0], 0.43275212956718857189) // −ln(√e − 1)
	near("c of fox, β = 1/256", fox.C[1], -math.Log(math.Expm1(1/256.)))
	for _, b := range []float64{-1, math.Inf(1), math.NaN()} {
		if _, err := posenc.FoXFromALiBi([]float64{b}, 3); err == nil {
			t.Errorf("fox took slope %v", b)
		}
	}
	if _, err := posenc.GatedFromALiBi(slopes, 4, false, false); err == nil {
		t.Error("grape-a without gates was accepted")
	}
}

// TestEffective: Falcon's slopes as rewrites see them.
func TestEffective(t *testing.T) {
	e := falconOf(t, 12, 0.125).Effective()
	if e[0] != 0.0625 { // 2^-1 · 1/8
		t.Errorf("head 0 has %v", e[0])
	}
	// head 8 has 2^-0.5 = 0.70710678, in bfloat16 181/256
	if e[8] != 181./256/8 {
		t.Errorf("head 8 has %v, want %v", e[8], 181./256/8)
	}
}
