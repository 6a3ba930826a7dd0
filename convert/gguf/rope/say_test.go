package rope

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/posenc"
)

func row(t *testing.T, name string) arch.Arch {
	t.Helper()
	a, err := arch.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wanted is a rotation of heads of 8 with base 10000 as its keys declare it.
func wanted(t *testing.T, p posenc.RopeParams) Wanted {
	t.Helper()
	p.HeadDim, p.BetaFast, p.BetaSlow, p.Truncate = 8, 32, 1, true
	if p.Theta == 0 {
		p.Theta = 10000
	}
	s, err := p.Spectrum(p.TrainedLength)
	if err != nil {
		t.Fatal(err)
	}
	return Wanted{Params: p, Spectrum: s}
}

// The sayings by hand.
func TestSay(t *testing.T) {
	gain := 1.25
	longrope := posenc.RopeParams{Type: "longrope", TrainedLength: 32, MaxPositions: 64, AttentionFactor: &gain,
		ShortFactor: []float64{1, 1, 2, posenc.DroppedFactor}, LongFactor: []float64{1, 1, 2, posenc.DroppedFactor}}
	byLength := longrope
	byLength.LongFactor = []float64{2, 2, 4, posenc.DroppedFactor}
	two := wanted(t, byLength)
	long, err := two.Params.Spectrum(65)
	if err != nil {
		t.Fatal(err)
	}
	two.Long = &long
	for name, c := range map[string]struct {
		arch string
		want Wanted
		said Saying
	}{
		"plain":          {"qwen2", wanted(t, posenc.RopeParams{Type: "default", TrainedLength: 32}), Saying{Base: 10000, Dim: 8, Gain: 1}},
		"linear of 1":    {"qwen2", wanted(t, posenc.RopeParams{Type: "linear", Factor: 1, TrainedLength: 32}), Saying{Base: 10000, Dim: 8, Gain: 1}},
		"linear":         {"qwen2", wanted(t, posenc.RopeParams{Type: "linear", Factor: 4, TrainedLength: 32}), Saying{Base: 10000, Dim: 8, Gain: 1, Scaling: "linear", Factor: 4, OriginalLength: 32}},
		"yarn":           {"qwen2", wanted(t, posenc.RopeParams{Type: "yarn", Factor: 4, TrainedLength: 32}), Saying{Base: 10000, Dim: 8, Gain: 1, Scaling: "yarn", Factor: 4, OriginalLength: 32}},
		"yarn's own":     {"qwen2", wanted(t, posenc.RopeParams{Type: "yarn", Factor: 4, TrainedLength: 32, AttentionFactor: &gain}), Saying{Base: 10000, Dim: 8, Gain: 1.25 / (0.1*math.Log(4) + 1), Scaling: "yarn", Factor: 4, OriginalLength: 32}},
		"partial":        {"stablelm", wanted(t, posenc.RopeParams{Type: "default", Partial: .5, TrainedLength: 32}), Saying{Base: 10000, Dim: 4, Gain: 1}},
		"factors":        {"llama", wanted(t, longrope), Saying{Base: 10000, Dim: 8, Gain: 1.25, Held: Held{Freqs: []float32{1, 1, 2, 1e30}}}},
		"proportional":   {"llama", wanted(t, posenc.RopeParams{Type: "proportional", Partial: .5, TrainedLength: 32}), Saying{Base: 10000, Dim: 8, Gain: 1, Held: Held{Freqs: []float32{1, 1, 1e30, 1e30}}}},
		"factors, phi3":  {"phi3", wanted(t, longrope), Saying{Base: 10000, Dim: 8, Gain: 1.25, OriginalLength: 32, Held: Held{Short: []float32{1, 1, 2, 1e30}, Long: []float32{1, 1, 2, 1e30}}}},
		"by length":      {"llama", two, Saying{Base: 10000, Dim: 8, Gain: 1.25, OriginalLength: 32, Scaling: "longrope", Held: Held{Short: []float32{1, 1, 2, 1e30}, Long: []float32{2, 2, 4, 1e30}}}},
		"by length, phi": {"phi3", two, Saying{Base: 10000, Dim: 8, Gain: 1.25, OriginalLength: 32, Held: Held{Short: []float32{1, 1, 2, 1e30}, Long: []float32{2, 2, 4, 1e30}}}},
	} {
		got, err := Say(row(t, c.arch), c.want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Base != c.said.Base || got.Dim != c.said.Dim || math.Abs(got.Gain-c.said.Gain) > 1e-12 || got.Scaling != c.said.Scaling || got.Factor != c.said.Factor ||
			got.OriginalLength != c.said.OriginalLength || !slices.Equal(got.Freqs, c.said.Freqs) || !slices.Equal(got.Long, c.said.Long) || !slices.Equal(got.Short, c.said.Short) {
			t.Errorf("%s: %+v, want %+v", name, got, c.said)
		}
	}
}

// What a graph does not take is refused by name, with what can be done.
func TestSayRefuses(t *testing.T) {
	dropped := wanted(t, posenc.RopeParams{Type: "proportional", Partial: .5, TrainedLength: 32})
	for _, c := range []struct {
		arch string
		want Wanted
		text string
	}{
		{"qwen2", dropped, "architecture qwen2 takes no factors per plane"},
		{"stablelm", dropped, "safetensors holds them"},
		{"llama", wanted(t, posenc.RopeParams{Type: "default", Partial: .5, TrainedLength: 32}), "a rotary dimension of 4 in heads of 8"},
		{"smollm3", wanted(t, posenc.RopeParams{Type: "default", Partial: .5, TrainedLength: 32}), "phi3"},
	} {
		_, err := Say(row(t, c.arch), c.want)
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", c.arch, err, c.text)
		}
	}
}

// A plane that turns as before keeps the factor that its file has, and a tensor of
// factors that is there says nothing where nothing is to be said.
func TestSayAnew(t *testing.T) {
	has := []float32{1, 1.1, 8, 8}
	before := posenc.Spectrum{Gain: 1}
	for p, f := range posenc.InvFreq(10000, 8) {
		before.InvFreq = append(before.InvFreq, f/float64(has[p]))
	}
	after := before.Clone()
	after.InvFreq[3] = 0
	w := Wanted{Params: posenc.RopeParams{Type: "longrope", Theta: 10000, HeadDim: 8, TrainedLength: 32}, Spectrum: after, Before: &before, Has: &Held{Freqs: has}}
	got, err := Say(row(t, "llama"), w)
	if want := []float32{1, 1.1, 8, 1e30}; err != nil || !slices.Equal(got.Freqs, want) {
		t.Errorf("%v, %v; want %v", got.Freqs, err, want)
	}
	plain := wanted(t, posenc.RopeParams{Type: "default", TrainedLength: 32})
	plain.Has, plain.Before = &Held{Freqs: has}, &before
	got, err = Say(row(t, "llama"), plain)
	if want := []float32{1, 1, 1, 1}; err != nil || !slices.Equal(got.Freqs, want) {
		t.Errorf("%v, %v; want %v", got.Freqs, err, want)
	}
}

func TestApply(t *testing.T) {
	h := &gguf.Header{Version: 3, KVs: []gguf.KV{
		gguf.NewText("general.architecture", "llama"), gguf.NewFloat32("llama.rope.freq_base", 10000),
		gguf.NewText("llama.rope.scaling.type", "yarn"), gguf.NewFloat32("llama.rope.scaling.factor", 4), gguf.NewUint32("llama.vocab_size", 7)}}
	s := Saying{Base: 500, Dim: 8, Gain: 1.5, OriginalLength: 32}
	if err := s.Apply(h, "llama"); err != nil {
		t.Fatal(err)
	}
	want := []gguf.KV{gguf.NewText("general.architecture", "llama"), gguf.NewFloat32("llama.rope.freq_base", 500), gguf.NewUint32("llama.vocab_size", 7),
		gguf.NewUint32("llama.rope.dimension_count", 8), gguf.NewUint32("llama.rope.scaling.original_context_length", 32), gguf.NewFloat32("llama.rope.scaling.attn_factor", 1.5)}
	if !slices.EqualFunc(h.KVs, want, func(a, b gguf.KV) bool {
		return a.Key == b.Key && a.Type == b.Type && string(a.Raw) == string(b.Raw)
	}) {
		t.Errorf("metadata %v, want %v", h.KVs, want)
	}
	h.Set(gguf.NewFloat32("llama.rope.freq_base_swa", 10000))
	if err := s.Apply(h, "llama"); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "freq_base_swa") {
		t.Errorf("a rotation of other layers: %v", err)
	}
}
