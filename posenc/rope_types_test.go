package posenc

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
)

// ropeCase is one row of testdata/rope_types.json.
type ropeCase struct {
	Name         string
	HeadDim      int `json:"head_dim"`
	MaxPositions int `json:"max_position_embeddings"`
	Length       int
	Rope         struct {
		Type            string   `json:"rope_type"`
		Theta           float64  `json:"rope_theta"`
		Partial         *float64 `json:"partial_rotary_factor"`
		Factor          float64
		TrainedLength   int      `json:"original_max_position_embeddings"`
		AttentionFactor *float64 `json:"attention_factor"`
		BetaFast        *float64 `json:"beta_fast"`
		BetaSlow        *float64 `json:"beta_slow"`
		MScale          float64
		MScaleAllDim    float64 `json:"mscale_all_dim"`
		Truncate        *bool
		LowFreqFactor   float64   `json:"low_freq_factor"`
		HighFreqFactor  float64   `json:"high_freq_factor"`
		ShortFactor     []float64 `json:"short_factor"`
		LongFactor      []float64 `json:"long_factor"`
	} `json:"rope_parameters"`
	InvFreq   []float64 `json:"inv_freq"`
	InvFreq64 []float64 `json:"inv_freq_64"`
	Gain      float64
}

func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

func (c ropeCase) params() RopeParams {
	r := c.Rope
	p := RopeParams{Type: r.Type, Theta: r.Theta, HeadDim: c.HeadDim, Factor: r.Factor,
		TrainedLength: r.TrainedLength, MaxPositions: c.MaxPositions, AttentionFactor: r.AttentionFactor,
		BetaFast: or(r.BetaFast, 32), BetaSlow: or(r.BetaSlow, 1), MScale: r.MScale, MScaleAllDim: r.MScaleAllDim,
		Truncate: or(r.Truncate, true), LowFreqFactor: r.LowFreqFactor, HighFreqFactor: r.HighFreqFactor,
		ShortFactor: r.ShortFactor, LongFactor: r.LongFactor}
	p.SetShare(or(r.Partial, 1))
	return p
}

func ropeCases(t *testing.T) []ropeCase {
	t.Helper()
	data, err := os.ReadFile("testdata/rope_types.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []ropeCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func apart(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / math.Abs(want)
}

// The spectra are those of transformers 5.23.0 (testdata/gen_rope_types.py).
//
// Against its formulas run in float64 they agree to 1e-13: a power's own error
// is a few ulps times ln(base) <= 14.
//
// Against what it computes in float32 they agree to 2^-20: with unit roundoff
// u = 2^-24, the exponent 2p/d carries up to u, which the power turns into
// u·ln(base) <= 14 u; and the blends of llama3 and yarn carry their weight's
// error of about 2u once per unit of the (at most 40-fold) ratio of the two
// ends, where the weight of the larger end is near 0, so 16 u in all is the
// most that occurs below.
func TestRopeTypesAgainstTransformers(t *testing.T) {
	seen := map[string]int{}
	for _, c := range ropeCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			seen[c.Rope.Type]++
			s, err := c.params().Spectrum(c.Length)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.InvFreq) != len(c.InvFreq) || len(s.InvFreq) != len(c.InvFreq64) {
				t.Fatalf("%d planes, want %d", len(s.InvFreq), len(c.InvFreq))
			}
			for p, f := range s.InvFreq {
				if e := apart(f, c.InvFreq64[p]); e > 1e-13 {
					t.Errorf("plane %d: %v, in float64 %v: %.2g apart", p, f, c.InvFreq64[p], e)
				}
				if e := apart(f, c.InvFreq[p]); e > 0x1p-20 {
					t.Errorf("plane %d: %v, in float32 %v: %.2g apart", p, f, c.InvFreq[p], e)
				}
			}
			if e := apart(s.Gain, c.Gain); e > 1e-15 {
				t.Errorf("attention factor %v, want %v", s.Gain, c.Gain)
			}
			if s.Removed != nil {
				t.Error("a rope type removes no plane")
			}
		})
	}
	for _, row := range RopeTypes() {
		if seen[row.Name] == 0 {
			t.Errorf("rope type %q has no case", row.Name)
		}
	}
}

func TestLengthMattersWhereTheTableSays(t *testing.T) {
	for _, c := range ropeCases(t) {
		row, err := FindRopeType(c.Rope.Type)
		if err != nil {
			t.Fatal(err)
		}
		short, err1 := c.params().Spectrum(16)
		long, err2 := c.params().Spectrum(1 << 20)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		differ := false
		for p := range short.InvFreq {
			differ = differ || short.InvFreq[p] != long.InvFreq[p]
		}
		if differ != row.ByLength {
			t.Errorf("%s: the spectrum changes with the length: %v, the table says %v", c.Name, differ, row.ByLength)
		}
		if changes, err := c.params().ByLength(); err != nil || changes != differ {
			t.Errorf("%s: the spectrum changes with the length: %v, by its parameters %v, %v", c.Name, differ, changes, err)
		}
		one := c.params() // longrope of the same factors for all lengths
		one.LongFactor = one.ShortFactor
		if changes, err := one.ByLength(); err != nil || changes != (one.Type == "dynamic") {
			t.Errorf("%s with one list of factors: changes with the length: %v, %v", c.Name, changes, err)
		}
	}
	if _, err := (RopeParams{Type: "dynamics"}).ByLength(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an unknown type: error %v", err)
	}
}

func TestBadRopeParams(t *testing.T) {
	base := RopeParams{Type: "default", Theta: 10000, HeadDim: 16, Partial: 1, MaxPositions: 64, TrainedLength: 64, BetaFast: 32, BetaSlow: 1}
	huge, negative := 1e308, -1.0
	with := func(edit func(*RopeParams)) RopeParams {
		p := base
		edit(&p)
		return p
	}
	for name, c := range map[string]struct {
		p    RopeParams
		want string
	}{
		"odd head":          {with(func(p *RopeParams) { p.HeadDim = 15 }), "head size 15"},
		"no head":           {with(func(p *RopeParams) { p.HeadDim = 0 }), "head size 0"},
		"theta":             {with(func(p *RopeParams) { p.Theta = 0 }), "rope_theta 0"},
		"theta NaN":         {with(func(p *RopeParams) { p.Theta = math.NaN() }), "rope_theta NaN"},
		"theta infinite":    {with(func(p *RopeParams) { p.Theta = math.Inf(1) }), "rope_theta +Inf"},
		"partial":           {with(func(p *RopeParams) { p.Partial = 1.5 }), "partial_rotary_factor 1.5"},
		"odd rotary":        {with(func(p *RopeParams) { p.Partial = 3. / 16 }), "makes 3 rotary coordinates"},
		"linear":            {with(func(p *RopeParams) { p.Type = "linear" }), `rope type "linear": factor 0`},
		"dynamic":           {with(func(p *RopeParams) { p.Type = "dynamic" }), `rope type "dynamic": factor 0`},
		"dynamic one plane": {with(func(p *RopeParams) { p.Type, p.HeadDim, p.Factor, p.MaxPositions = "dynamic", 2, 2, 8 }), "more than one plane"},
		"yarn base":         {with(func(p *RopeParams) { p.Type, p.Theta, p.Factor = "yarn", 1, 4 }), "base 1"},
		"yarn length":       {with(func(p *RopeParams) { p.Type, p.TrainedLength, p.Factor = "yarn", 0, 4 }), "trained length 0"},
		"yarn betas":        {with(func(p *RopeParams) { p.Type, p.BetaSlow, p.Factor = "yarn", 0, 4 }), "beta_slow 0"},
		"huge gain":         {with(func(p *RopeParams) { p.Type, p.Factor, p.AttentionFactor = "yarn", 4, &huge }), `rope type "yarn": attention_factor 1e+308: expected a number from 0.01 to 100`},
		"negative gain":     {with(func(p *RopeParams) { p.Type, p.Factor, p.AttentionFactor = "yarn", 4, &negative }), "attention_factor -1: expected a number from 0.01 to 100"},
		"llama3":            {with(func(p *RopeParams) { p.Type, p.Factor, p.LowFreqFactor, p.HighFreqFactor = "llama3", 8, 4, 3 }), "0 < low <= high"},
		"longrope":          {with(func(p *RopeParams) { p.Type, p.ShortFactor = "longrope", []float64{1} }), "short_factor has 1 numbers: expected one for each of the 8 planes"},
		"longrope zero":     {with(func(p *RopeParams) { p.Type, p.ShortFactor = "longrope", make([]float64, 8) }), "short_factor[0] is 0"},
		"proportional":      {with(func(p *RopeParams) { p.Type, p.Factor = "proportional", -1 }), "factor -1"},
		"overflow":          {with(func(p *RopeParams) { p.Type, p.Factor = "linear", 5e-324 }), "plane 0 has inverse frequency +Inf"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.p.Spectrum(64)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
	_, err := with(func(p *RopeParams) { p.Type = "lama3" }).Spectrum(64)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"lama3" is unknown; did you mean "llama3"?`) {
		t.Errorf("unknown type: %v", err)
	}
}

// A longrope factor of DroppedFactor reads back as a plane that stands still.
func TestDroppedFactor(t *testing.T) {
	p := RopeParams{Type: "longrope", Theta: 10000, HeadDim: 4, Partial: 1, MaxPositions: 64, TrainedLength: 64,
		ShortFactor: []float64{1, DroppedFactor}, LongFactor: []float64{1, DroppedFactor}}
	s, err := p.Spectrum(64)
	if err != nil {
		t.Fatal(err)
	}
	if s.InvFreq[0] != 1 || s.InvFreq[1] != 0 {
		t.Errorf("inverse frequencies %v, want [1 0]", s.InvFreq)
	}
}

// Llama 3's scaling by DroppedFactor is a step in wavelength: the slow planes read
// back as planes that stand still, the others as plain RoPE's.
func TestDroppedByLlama3(t *testing.T) {
	p := RopeParams{Type: "llama3", Theta: 10000, HeadDim: 4, MaxPositions: 64, TrainedLength: 32,
		Factor: DroppedFactor, LowFreqFactor: 0.5, HighFreqFactor: 0.5001}
	s, err := p.Spectrum(64) // wavelengths 6.28 and 628, the border at 64
	if err != nil {
		t.Fatal(err)
	}
	if s.InvFreq[0] != 1 || s.InvFreq[1] != 0 || !p.Plain() {
		t.Errorf("inverse frequencies %v, plain %v: want [1 0], true", s.InvFreq, p.Plain())
	}
	for _, c := range []struct {
		what string
		edit func(*RopeParams)
		want bool
	}{
		{"a factor of 8", func(p *RopeParams) { p.Factor = 8 }, false},
		{"a plane in the blend", func(p *RopeParams) { p.LowFreqFactor, p.HighFreqFactor = 0.01, 1 }, false},
		{"borders that cross", func(p *RopeParams) { p.HighFreqFactor = 0.1 }, false},
		{"default", func(p *RopeParams) { p.Type = "default" }, true},
		{"proportional", func(p *RopeParams) { p.Type, p.Factor = "proportional", 0 }, true},
		{"proportional by 4", func(p *RopeParams) { p.Type, p.Factor = "proportional", 4 }, false},
		{"linear", func(p *RopeParams) { p.Type = "linear" }, false},
	} {
		q := p
		c.edit(&q)
		if q.Plain() != c.want {
			t.Errorf("%s: plain %v", c.what, q.Plain())
		}
	}
}

// Where both borders are one, as Llama 4 has them, planes of longer wavelengths are
// divided by the factor and the others stay.
func TestLlama3OneBorder(t *testing.T) {
	p := RopeParams{Type: "llama3", Theta: 10000, HeadDim: 16, MaxPositions: 64, TrainedLength: 32, Factor: 16, LowFreqFactor: 1, HighFreqFactor: 1}
	s, err := p.Spectrum(32)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range s.InvFreq {
		want := math.Pow(10000, -float64(i)/8)
		if 2*math.Pi/want > 32 {
			want /= 16
		}
		if math.Abs(got-want) > 1e-15 {
			t.Errorf("plane %d turns by %v: want %v", i, got, want)
		}
	}
}
