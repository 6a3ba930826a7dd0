package rewrite_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// TestLayers: of some layers, in the keys of their kind where the configuration has
// such keys, and else as tensors; the other layers turn as they did.
func TestLayers(t *testing.T) {
	byType := `,"hidden_activation":"gelu_pytorch_tanh","sliding_window":8,"layer_types":["sliding_attention","full_attention"],"query_pre_attn_scalar":16,
"rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":500.0},"sliding_attention":{"rope_type":"default","rope_theta":300.0}}`
	shared := `,"rope_theta":300.0,"hidden_activation":"gelu_pytorch_tanh","sliding_window":8,"layer_types":["sliding_attention","full_attention"],"query_pre_attn_scalar":16`
	bases := `,"layer_rope_theta":[300.0,500.0],"rope_parameters":{"rope_type":"default","rope_theta":500.0},"sliding_window":8,"layer_types":["sliding_attention","full_attention"]`
	// with L = 32 the paper's cut drops planes of θ <= 2π/32: 5 of 8 of base 300 and of base 500
	for _, c := range []struct {
		family, rope, layers string
		sliding, full        int // planes that turn in layer 0 and layer 1
	}{
		{"gemma3_text", byType, "", 8, 3},
		{"gemma3_text", byType, rewrite.FullLayers, 8, 3},
		{"gemma3_text", byType, rewrite.SlidingLayers, 3, 8},
		{"gemma3_text", byType, rewrite.AllLayers, 3, 3},
		{"gemma2", shared, "", 3, 3},
		{"gemma2", shared, rewrite.AllLayers, 3, 3},
		{"gemma2", shared, rewrite.FullLayers, 8, 3},
		{"gemma2", shared, rewrite.SlidingLayers, 3, 8},
		{"granite_swa", bases, "", 8, 3},
		{"granite_swa", bases, rewrite.AllLayers, 3, 3},
		{"granite_swa", bases, rewrite.SlidingLayers, 3, 8},
	} {
		r, err := rewrite.Make(model(t, c.family, c.rope), nil, options(t, "hope layers="+c.layers))
		if err != nil {
			t.Errorf("%s, %q: %v", c.family, c.layers, err)
			continue
		}
		var turning []int
		if r.Added != nil { // layers in the order of their tensors
			for _, added := range r.Added {
				turning = append(turning, turn(added.Values, 2))
			}
		} else {
			text, err := r.Config.Indented()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range parse(t, string(text)).Attentions() {
				turning = append(turning, turn(a.Rotary.InvFreq, 1))
			}
		}
		if want := []int{c.sliding, c.full}; !slices.Equal(turning, want) {
			t.Errorf("%s, %q: %v planes turn: want %v", c.family, c.layers, turning, want)
		}
	}
}

// Layers with a base each: GRAPE-M says what each turns by; what would be one spectrum,
// or one declaration, is refused.
func TestLayerBases(t *testing.T) {
	const bases = `,"layer_rope_theta":[300.0,500.0],"rope_parameters":{"rope_type":"default","rope_theta":500.0},"sliding_window":8,"layer_types":["sliding_attention","full_attention"]`
	m := model(t, "granite_swa", bases)
	r, err := rewrite.Make(m, nil, options(t, "grape-m"))
	if err != nil || r.Kind != rewrite.Exact || len(r.Added) != 2 {
		t.Fatalf("grape-m: %v", err)
	}
	for i, a := range m.Attentions() {
		if n := len(a.Rotary.InvFreq); !slices.Equal(r.Added[i].Values[:n], a.Rotary.InvFreq) {
			t.Errorf("layer %d turns by %v: want %v", i, r.Added[i].Values[:n], a.Rotary.InvFreq)
		}
	}
	if slices.Equal(r.Added[0].Values, r.Added[1].Values) {
		t.Error("layers of two bases turn alike")
	}
	for _, o := range []string{"hope layout=partial", "hope spelling=llama3"} {
		if _, err := rewrite.Make(m, nil, options(t, o)); !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s: %v: want a refusal", o, err)
		}
	}
}

// A factor that some layers have is one for each layer in the block.
func TestFactorsByLayer(t *testing.T) {
	m := model(t, "gemma2", `,"rope_theta":300.0,"hidden_activation":"gelu_pytorch_tanh","sliding_window":8,"layer_types":["sliding_attention","full_attention"]`)
	r, err := rewrite.Make(m, nil, options(t, "yarn scale=yarn:4 layers=full"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Config.Indented()
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{1, 0.1*math.Log(4) + 1}
	for i, a := range parse(t, string(text)).Attentions() {
		if math.Abs(a.Rotary.Gain-want[i]) > 1e-12 {
			t.Errorf("layer %d: attention factor %v: want %v", i, a.Rotary.Gain, want[i])
		}
	}
}

// turn counts the planes of each of n heads that turn.
func turn(frequencies []float64, n int) int {
	turning := 0
	for _, f := range frequencies {
		if f > 1e-12 { // what llama3 says of a plane that stops is 1e-30 of it
			turning++
		}
	}
	return turning / n
}
