package rewrite

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/posenc"
)

// stepped spells plain RoPE of the kept fastest planes by llama3.
func stepped(t interface{ Fatal(...any) }, theta float64, headDim, kept, length int) posenc.RopeParams {
	source := posenc.RopeParams{Type: "default", Theta: theta, HeadDim: headDim, MaxPositions: length, TrainedLength: length}
	want := posenc.Spectrum{InvFreq: source.Base(), Gain: 1}
	clear(want.InvFreq[kept:])
	p, err := speller{source: source, want: want, trainLength: length, maxPositions: length}.solve("llama3")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestStepInTransformers holds the keys, and what stock transformers makes of
// them (testdata/gen_llama3_steps.py): the planes that turn have the frequencies
// of plain RoPE to the last bit of float32, and so the same cos and sin at every
// position; the others turn less than a float32 near 1 can show; and it says no
// word of warning.
func TestStepInTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/llama3_steps.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Theta           float64
			HeadDim         int `json:"head_dim"`
			Kept            int
			MaxPositions    int `json:"max_position_embeddings"`
			Keys            map[string]any
			InvFreq         string `json:"inv_freq"`
			Plain, Warnings string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 15 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		p := stepped(t, c.Theta, c.HeadDim, c.Kept, c.MaxPositions)
		for key, got := range map[string]float64{"factor": p.Factor, "low_freq_factor": p.LowFreqFactor, "high_freq_factor": p.HighFreqFactor, original: float64(p.TrainedLength)} {
			if got != c.Keys[key] {
				t.Errorf("base %v, %d of %d planes: %s %v, recorded %v", c.Theta, c.Kept, c.HeadDim/2, key, got, c.Keys[key])
			}
		}
		if c.Warnings != "" {
			t.Errorf("base %v, %d of %d planes: transformers says %s", c.Theta, c.Kept, c.HeadDim/2, c.Warnings)
		}
		got, plain := strings.Fields(c.InvFreq), strings.Fields(c.Plain)
		if len(got) != c.HeadDim/2 || len(plain) != c.HeadDim/2 {
			t.Fatalf("%d and %d planes recorded, want %d", len(got), len(plain), c.HeadDim/2)
		}
		for i := range got {
			if i < c.Kept && got[i] != plain[i] {
				t.Errorf("base %v, %d of %d planes: plane %d has bits %s, plain RoPE %s", c.Theta, c.Kept, c.HeadDim/2, i, got[i], plain[i])
			}
			bits, err := strconv.ParseUint(got[i], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			if angle := float64(math.Float32frombits(uint32(bits))) * maxLength; i >= c.Kept && angle > 1e-20 {
				t.Errorf("base %v, %d of %d planes: plane %d turns by %v over %d positions", c.Theta, c.Kept, c.HeadDim/2, i, angle, maxLength)
			}
		}
	}
}

// TestStepInFloat32: whatever the head, the base, the cut and the length, a loader
// that computes in float32, in the orders that loaders were seen to compute in,
// leaves the kept planes alone, divides the others by the factor and blends none.
func TestStepInFloat32(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		planes := rapid.IntRange(1, 256).Draw(t, "planes")
		theta := math.Exp(rapid.Float64Range(math.Log(8), math.Log(1e8)).Draw(t, "ln theta"))
		kept := rapid.IntRange(0, planes).Draw(t, "kept")
		length := rapid.IntRange(1, 1<<24).Draw(t, "length")
		p := stepped(t, theta, 2*planes, kept, length)
		if got, err := p.Spectrum(1); err != nil || !p.Plain() {
			t.Fatalf("%v: plain %v, %v", got, p.Plain(), err)
		}
		unit, low, high := float32(p.TrainedLength), float32(p.LowFreqFactor), float32(p.HighFreqFactor)
		for i := range planes {
			exponent := float32(2*i) / float32(2*planes)
			power := float32(math.Pow(float64(float32(theta)), float64(exponent)))
			for how, wavelength := range map[string]float32{
				"2π over the frequency": 2 * math.Pi / (1 / power),
				"2π times the power":    2 * math.Pi * power,
				"in float64":            float32(2 * math.Pi * math.Pow(theta, 2*float64(i)/float64(2*planes))),
			} {
				alone, slow := wavelength < unit/high, wavelength > unit/low
				if alone != (i < kept) || slow != (i >= kept) {
					t.Fatalf("%s: plane %d, wavelength %v, borders %v and %v: alone %v, slow %v; %d planes are kept", how, i, wavelength, unit/high, unit/low, alone, slow, kept)
				}
			}
			if slowed := 1 / power / float32(p.Factor); i >= kept && (slowed == 0 || math.IsInf(float64(power*float32(p.Factor)), 0)) {
				t.Fatalf("plane %d: %v over the factor is %v: loaders that divide or multiply leave float32", i, 1/power, slowed)
			}
		}
	})
}
