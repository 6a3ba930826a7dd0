package families_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// A base for each layer, 0 for a layer that does not turn.
func TestLayerBases(t *testing.T) {
	m, err := golden(t, "granite_swa", func(o *family.Object) { o.Set("layer_rope_theta", []float64{0, 700}) })
	if err != nil {
		t.Fatal(err)
	}
	still, turned := m.Blocks[0].Attn(), m.Blocks[1].Attn()
	if still.Rotary.Dim != 0 || turned.Rope != nil || m.Rope.Theta != 700 {
		t.Errorf("layer 0 turns %d coordinates, layer 1 by %+v, the model by %v", still.Rotary.Dim, turned.Rope, m.Rope.Theta)
	}
	if want, got := math.Pow(700, -2./float64(turned.QKDim)), turned.Rotary.InvFreq[1]; math.Abs(got-want) > 1e-12 {
		t.Errorf("plane 1 turns by %v: want %v", got, want)
	}
	if m, err = golden(t, "granite_swa", func(o *family.Object) { o.Delete("layer_rope_theta") }); err != nil {
		t.Fatal(err)
	}
	if len(m.Ropes()) != 1 || slices.Contains(m.Features(), family.SpectraByType) {
		t.Errorf("without the list layers turn by %+v", m.Ropes())
	}
	for want, list := range map[string]any{"lists 1 layers": []float64{500}, "layer_rope_theta[1] is -3": []float64{500, -3}} {
		_, err := golden(t, "granite_swa", func(o *family.Object) { o.Set("layer_rope_theta", list) })
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v: want %q", list, err, want)
		}
	}
}

// The keys of mimo_v2_flash as it is published: what stock loaders pass over must be
// what they compute.
func TestMiMoPublished(t *testing.T) {
	published := func(o *family.Object) {
		for _, key := range []string{"rope_parameters", "layer_types", "mlp_layer_types"} {
			o.Delete(key)
		}
		for key, v := range map[string]any{"rope_theta": 5000000, "swa_rope_theta": 10000, "partial_rotary_factor": 0.334, "sliding_window_size": 8, "sliding_window": 8,
			"attention_chunk_size": 8, "hybrid_layer_pattern": []int{0, 1}, "moe_layer_freq": []int{0, 1}, "layernorm_epsilon": 1e-5, "head_dim": 192, "swa_head_dim": 192, "swa_v_head_dim": 12,
			"swa_num_attention_heads": 4, "swa_num_key_value_heads": 4, "add_swa_attention_sink_bias": true, "add_full_attention_sink_bias": false,
			"scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_shared_experts": nil, "routed_scaling_factor": nil, "hybrid_block_size": nil} {
			o.Set(key, v)
		}
	}
	m, err := golden(t, "mimo_v2_flash", published)
	if err != nil {
		t.Fatal(err)
	}
	full, window := m.Blocks[0].Attn(), m.Blocks[1].Attn()
	if full.Window != 0 || full.KVHeads != 2 || full.Sinks != nil || m.Blocks[0].MLP() == nil {
		t.Errorf("layer 0: window %d, %d key/value heads, sinks %v", full.Window, full.KVHeads, full.Sinks)
	}
	if window.Window != 9 || window.KVHeads != 4 || window.Sinks == nil || m.Blocks[1].Mixture() == nil || window.VDim != 12 || window.ValueScale != 0.707 {
		t.Errorf("layer 1: %+v", window)
	}
	if full.Rotary.Dim != 64 || window.Rotary.Dim != 64 || m.RopeOf(full).Theta != 5e6 || m.RopeOf(window).Theta != 1e4 { // 192 · 0.334 and a bit less
		t.Errorf("layers turn %d and %d coordinates by %v and %v", full.Rotary.Dim, window.Rotary.Dim, m.RopeOf(full).Theta, m.RopeOf(window).Theta)
	}
	for key, v := range map[string]any{"hybrid_layer_pattern": []int{1, 1}, "moe_layer_freq": []int{1, 1}, "layernorm_epsilon": 1e-6, "swa_num_key_value_heads": 2,
		"swa_rope_theta": 20000, "add_full_attention_sink_bias": true, "scoring_func": "softmax", "swa_v_head_dim": 16} {
		_, err := golden(t, "mimo_v2_flash", func(o *family.Object) {
			published(o)
			o.Set(key, v)
		})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %v: %v: want a refusal that names it", key, v, err)
		}
	}
}

// The keys of gpt-oss as it is published: of transformers 4, without types of layers.
func TestGptOSSOlder(t *testing.T) {
	newer, err := golden(t, "gpt_oss", func(o *family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	older, err := golden(t, "gpt_oss", func(o *family.Object) {
		rope, err := o.Object("rope_parameters")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"rope_parameters", "layer_types", "swiglu_alpha", "swiglu_limit", "attention_bias"} {
			o.Delete(key)
		}
		rope.Delete("rope_theta")
		o.Set("rope_scaling", rope)
		o.Set("rope_theta", 500)
		o.Set("experts_per_token", 2)
		o.Set("initial_context_length", 16)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range newer.Blocks {
		a, o := b.Attn(), older.Blocks[i].Attn()
		if a.Window != o.Window || !slices.Equal(a.Rotary.InvFreq, o.Rotary.InvFreq) || o.Q.Bias == nil || o.Sinks == nil {
			t.Errorf("layer %d: window %d, %v: want %d, %v", i, o.Window, o.Rotary.InvFreq, a.Window, a.Rotary.InvFreq)
		}
		if c := older.Blocks[i].Mixture().Each[1].Clamp; *c != (family.Clamp{Limit: 7, Alpha: 1.702, Offset: 1}) {
			t.Errorf("layer %d: gates are clamped by %+v", i, *c)
		}
		if c := b.Mixture().Each[1].Clamp; c.Limit != 1.5 {
			t.Errorf("layer %d: swiglu_limit is not read: %+v", i, *c)
		}
	}
	if !strings.Contains(strings.Join(newer.Warnings, "\n"), "swiglu_limit") || strings.Contains(strings.Join(older.Warnings, "\n"), "swiglu_limit") {
		t.Errorf("warnings %q and %q", newer.Warnings, older.Warnings)
	}
	_, err = golden(t, "gpt_oss", func(o *family.Object) { o.Delete("rope_parameters") })
	if !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("without rope keys: %v", err)
	}
	m, err := golden(t, "gpt_oss", func(o *family.Object) { o.Set("experts_per_token", 3) })
	if err != nil || m.Blocks[0].Mixture().Router.TopK != 2 || !strings.Contains(strings.Join(m.Warnings, "\n"), "experts_per_token") {
		t.Errorf("experts_per_token beside num_experts_per_tok: %v", err)
	}
}
