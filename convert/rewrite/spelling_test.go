package rewrite

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// TestAnySpectrumIsSpelled: whatever planes are dropped and however the others
// are scaled, auto finds a spelling, and config.json says it to 1e-12 when it
// is read back, in every style of the source.
func TestAnySpectrumIsSpelled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		planes := rapid.IntRange(1, 64).Draw(t, "planes")
		theta := math.Exp(rapid.Float64Range(math.Log(10), math.Log(1e7)).Draw(t, "ln theta"))
		length := rapid.IntRange(2, 1<<17).Draw(t, "L")
		style := rapid.SampledFrom([]string{
			`,"rope_theta":BASE`, `,"rope_theta":BASE,"rope_scaling":null`, `,"rope_parameters":{"rope_type":"default","rope_theta":BASE}`,
			`,"rope_parameters":{"rope_type":"default","rope_theta":BASE},"rope_theta":BASE`,
		}).Draw(t, "style")
		text := fmt.Sprintf(`{"model_type":"llama","vocab_size":8,"hidden_size":16,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,"head_dim":%d,
"hidden_act":"silu","rms_norm_eps":1e-06,"max_position_embeddings":%d`, 2*planes, length) + strings.ReplaceAll(style, "BASE", string(number(theta))) + "}"
		o, err := family.ParseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.FromConfig(&family.Config{Object: o, Path: "config.json"})
		if err != nil {
			t.Fatal(err)
		}
		want := posenc.Spectrum{InvFreq: m.Rope.Base(), Gain: 1}
		factor := rapid.SampledFrom([]float64{1, 1, 2, 3, 1.7, 49, 1e3}).Draw(t, "factor")
		for p := range want.InvFreq {
			want.InvFreq[p] /= factor
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 1: // a tail stops
			for p := rapid.IntRange(0, planes).Draw(t, "kept"); p < planes; p++ {
				want.InvFreq[p] = 0
			}
		case 2: // any planes stop, the others are scaled as they like
			for p := range want.InvFreq {
				want.InvFreq[p] *= rapid.Float64Range(0.01, 4).Draw(t, "scale")
				if rapid.Bool().Draw(t, "drop") {
					want.InvFreq[p] = 0
				}
			}
		case 3:
			want.Gain = rapid.Float64Range(0.5, 2).Draw(t, "gain")
		}
		s := speller{family: "llama", source: m.Rope, want: want, trainLength: length, maxPositions: length}
		p, err := s.solve(Auto)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Config.Object.Clone()
		if err := writeRope(c, family.Spec{}, m.Rope, p, false); err != nil {
			t.Fatal(err)
		}
		if err := readBack(c, "config.json", length, said{want: want}); err != nil {
			t.Fatal(err)
		}
		tail := true
		for i := range want.InvFreq[1:] {
			tail = tail && (want.InvFreq[i] != 0 || want.InvFreq[i+1] == 0)
		}
		// a tail that stops where the others are slower too is longrope's: of the
		// factor of proportional vLLM knows nothing
		whole := want.InvFreq[planes-1] != 0
		if plain := want.Gain == 1 && tail && (factor == 1 || whole); plain && s.tailOnly(factor) && p.Type == "longrope" {
			t.Errorf("longrope for a spectrum that llama3, linear or default can say")
		}
	})
}

// tailOnly reports whether the wanted planes that turn are base/factor.
func (s speller) tailOnly(factor float64) bool {
	base := s.base("default").Base()
	for i, f := range s.want.InvFreq {
		if f != 0 && f != base[i]/factor {
			return false
		}
	}
	return true
}

// TestShare: the loader's floating-point rounding must give back every count of
// planes, for every head size.
func TestShare(t *testing.T) {
	for d := 2; d <= 512; d += 2 {
		for kept := 0; kept <= d/2; kept++ {
			if x, ok := share(kept, d/2, func(x float64) int { return posenc.ProportionalPlanes(x, d) }); !ok || x > 1 {
				t.Errorf("d %d, %d planes: no factor", d, kept)
			}
			if x, ok := share(2*kept, d, func(x float64) int { return int(float64(d) * x) }); !ok || x > 1 {
				t.Errorf("d %d, %d rotary coordinates: no factor", d, 2*kept)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{4: "4.0", 0.375: "0.375", 1e30: "1e+30", 1e-06: "1e-06", 0: "0.0", 131072: "131072.0"} {
		if got := string(number(x)); got != want {
			t.Errorf("number(%v) = %s, want %s", x, got, want)
		}
	}
}

func TestFactorsRefuse(t *testing.T) {
	for _, bad := range []float64{-1, math.NaN()} {
		if _, err := factors([]float64{1}, []float64{bad}); err == nil {
			t.Errorf("factors of %v: no error", bad)
		}
	}
}
