package families_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Keys of published checkpoints that transformers 5.24 no longer writes.
func TestMambaOlder(t *testing.T) {
	for name, edit := range map[string]func(o *family.Object){
		"granitemoehybrid": func(o *family.Object) {
			o.Delete("layer_types")
			o.Set("layers_block_type", []string{"mamba", "attention"})
			o.Set("mamba_d_head", "auto")
			o.Delete("time_step_limit")
			o.Delete("rope_parameters")
			o.Set("rope_theta", 500)
			o.Set("rope_scaling", nil)
		},
		"bamba": func(o *family.Object) {
			o.Set("mamba_d_head", "auto")
			o.Set("time_step_limit", nil)
			o.Delete("rope_parameters")
			o.Set("rope_theta", 500)
			o.Set("attn_rotary_emb", 4)
		},
		"falcon_h1": func(o *family.Object) {
			o.Delete("mamba_d_ssm") // mamba_expand says the same
			o.Delete("rope_parameters")
			o.Set("rope_theta", 500)
			o.Set("mamba_use_mlp", true)
		},
	} {
		newer, err := golden(t, name, func(*family.Object) {})
		if err != nil {
			t.Fatal(err)
		}
		older, err := golden(t, name, edit)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(newer.Blocks, older.Blocks); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A granitemoehybrid without experts has the shared expert as its MLP; nothing turns
// unless position_embedding_type is rope.
func TestGraniteHybridForms(t *testing.T) {
	m, err := golden(t, "granitemoehybrid", func(o *family.Object) {
		o.Set("num_local_experts", 0)
		o.Set("position_embedding_type", "nope")
	})
	if err != nil {
		t.Fatal(err)
	}
	mlp := m.Blocks[0].MLP()
	if mlp == nil || mlp.Up.Weight.Tensor != "model.layers.0.shared_mlp.input_linear.weight" || mlp.Down.Weight.Shape[1] != 32 {
		t.Errorf("MLP %+v", mlp)
	}
	if a := m.FirstAttn(); m.Encoding() != "nope" || a.Rotary.Dim != 0 || a.Scale != 0.2 {
		t.Errorf("encoding %s, rotary dimension %d, scale %v", m.Encoding(), a.Rotary.Dim, a.Scale)
	}
	for _, b := range m.Blocks {
		if b.ResidualScale != 0.6 {
			t.Errorf("residual scale %v", b.ResidualScale)
		}
	}
}

// Falcon-H1's factors stand where they act: those of a pair of scores are one.
func TestFalconH1Factors(t *testing.T) {
	m, err := golden(t, "falcon_h1", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	b := m.Blocks[1]
	a, s, f := b.Attn(), b.Second.(*family.Mamba), b.MLP()
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	near("scale", a.Scale, 0.8*0.8*0.7/math.Sqrt(float64(a.QKDim)))
	near("attention", b.MixerScale, 0.8*0.9)
	near("state", s.Scale, 0.9)
	for i, want := range []float64{0.9, 0.8, 0.7, 0.6, 0.5} {
		near("part", s.Scales[i], 1.1*want)
	}
	near("gate", f.GateScale, 0.8)
	near("down", f.InnerScale, 0.6)
	near("embedding", m.EmbedScale, 2)
	near("logits", m.LogitScale, 0.5)
}

func TestMambaRefused(t *testing.T) {
	for _, c := range []struct {
		name, what string
		edit       func(o *family.Object)
	}{
		{"granitemoehybrid", "type", func(o *family.Object) { o.Set("layer_types", []string{"linear_attention", "sliding_attention"}) }},
		{"granitemoehybrid", "no attention", func(o *family.Object) { o.Set("layer_types", []string{"mamba", "mamba"}) }},
		{"granitemoehybrid", "no types", func(o *family.Object) { o.Delete("layer_types") }},
		{"granitemoehybrid", "position", func(o *family.Object) { o.Set("position_embedding_type", "alibi") }},
		{"granitemoehybrid", "steps", func(o *family.Object) { o.Set("time_step_limit", []float64{0, 0.1}) }},
		{"bamba", "rotary size", func(o *family.Object) { o.Set("attn_rotary_emb", 8) }},
		{"bamba", "a share that loaders pass over", func(o *family.Object) { o.Delete("rope_parameters"); o.Set("partial_rotary_factor", 0.25) }},
		{"granitemoehybrid", "norm", func(o *family.Object) { o.Set("normalization_function", "layernorm") }},
		{"bamba", "no attention", func(o *family.Object) { o.Set("attn_layer_indices", []int{}) }},
		{"falcon_h1", "factor before a bias", func(o *family.Object) { o.Set("mamba_proj_bias", true) }},
		{"falcon_h1", "factor before a bias of attention", func(o *family.Object) { o.Set("attention_bias", true) }},
		{"falcon_h1", "factor of a bias", func(o *family.Object) { o.Set("mlp_bias", true) }},
		{"falcon_h1", "no MLP", func(o *family.Object) { o.Set("mamba_use_mlp", false) }},
		{"falcon_h1", "activation", func(o *family.Object) { o.Set("hidden_act", "gelu") }},
	} {
		if _, err := golden(t, c.name, c.edit); !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s, %s: %v", c.name, c.what, err)
		}
	}
	if _, err := golden(t, "granitemoehybrid", func(o *family.Object) { o.Set("normalization_function", "rmsnorm") }); err != nil { // as published
		t.Error(err)
	}
	for what, edit := range map[string]func(o *family.Object){
		"heads":  func(o *family.Object) { o.Set("mamba_d_head", 7) },
		"groups": func(o *family.Object) { o.Set("mamba_n_groups", 3) },
		"layers": func(o *family.Object) { o.Set("layer_types", []string{"mamba"}) },
		"state":  func(o *family.Object) { o.Set("mamba_d_state", 1<<20) },
	} {
		if _, err := golden(t, "granitemoehybrid", edit); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
