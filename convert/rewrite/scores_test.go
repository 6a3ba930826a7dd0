package rewrite

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Latent attention multiplies its scores by (0.1 m ln s + 1)², which the rope keys
// say beside the spectrum: whatever says the new spectrum keeps it, or is refused.
func TestScoresKeepTheirFactor(t *testing.T) {
	config, err := family.LoadConfig("../../testdata/families/deepseek_v3")
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.FromConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	root := 0.1*math.Log(4) + 1 // m 1, s 4; heads of 20
	want := root * root / math.Sqrt(20)
	if got := m.FirstAttn().Scale; math.Abs(got/want-1) > 1e-15 {
		t.Fatalf("scale %v: want %v", got, want)
	}
	for _, c := range []struct {
		to, spelling, typ string
	}{
		{"hope", "auto", "llama3"}, {"hope", "longrope", "longrope"}, {"nope", "longrope", "longrope"}, {"p-rope", "auto", "longrope"},
		{"rope", "auto", "yarn"}, {"rope", "longrope", "longrope"},
		{"nope", "default", ""}, {"hope", "proportional", ""},
	} {
		t.Run(fmt.Sprint(c.to, c.spelling), func(t *testing.T) {
			r, err := Make(m, nil, Options{To: c.to, Spelling: c.spelling})
			if c.typ == "" {
				if !errors.Is(err, posenc.ErrUnsupported) {
					t.Fatalf("error %v: want a refusal", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := families.FromConfig(&family.Config{Object: r.Config, Path: "config.json"})
			if err != nil {
				t.Fatal(err)
			}
			if s := got.FirstAttn().Scale; math.Abs(s/want-1) > 1e-12 || got.Rope.Type != c.typ {
				t.Errorf("%s, scale %v: want %s, %v", got.Rope.Type, s, c.typ, want)
			}
			for _, w := range got.Warnings {
				t.Logf("warning: %s", w)
			}
		})
	}
}

// An attention factor of yarn's own beside the factor of scores: loaders that make it
// of mscale and mscale_all_dim, as DeepSeek's, make what is wanted.
func TestScoredYarn(t *testing.T) {
	source := posenc.RopeParams{Type: "yarn", Theta: 1e4, HeadDim: 64, Factor: 40, MScale: 0.707, MScaleAllDim: 0.707, TrainedLength: 4096, MaxPositions: 163840, BetaFast: 32, BetaSlow: 1, Truncate: true}
	root := 0.1*0.707*math.Log(40) + 1
	for _, gain := range []float64{1, 1.2, 0.8} {
		p := source
		p.Factor, p.MScale, p.MScaleAllDim = 8, 0, 0
		s := speller{source: source, want: posenc.Spectrum{Gain: gain}, score: root * root}
		p, err := s.scored(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Spectrum(4096)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Gain/gain-1) > 1e-12 || math.Abs(p.ScoreFactor()/(root*root)-1) > 1e-12 {
			t.Errorf("gain %v and factor %v: want %v and %v", got.Gain, p.ScoreFactor(), gain, root*root)
		}
	}
}

// Loaders of bamba read the share that turns in the rope dictionary alone, of which
// they take the older one first: both say it.
func TestInnerShare(t *testing.T) {
	config, err := family.LoadConfig("../../testdata/families/bamba")
	if err != nil {
		t.Fatal(err)
	}
	rope, err := config.Object.Object("rope_parameters")
	if err != nil {
		t.Fatal(err)
	}
	rope.Set("partial_rotary_factor", 1.0)
	config.Set("rope_parameters", rope)
	m, err := families.FromConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Make(m, nil, Options{To: "yarn", Scale: posenc.Scale{Kind: "yarn", Factor: 4}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		if v, ok, err := r.Config.Float(key + ".partial_rotary_factor"); err != nil || !ok || v != 1 {
			t.Errorf("%s says %v (%v): want 1", key, v, err)
		}
	}
}
