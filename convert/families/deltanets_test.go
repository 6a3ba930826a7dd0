package families_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Keys of published checkpoints that transformers 5 no longer writes.
func TestDeltaNetOlder(t *testing.T) {
	newer, err := golden(t, "qwen3_next", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	older, err := golden(t, "qwen3_next", func(o *family.Object) {
		o.Delete("layer_types")
		o.Set("full_attention_interval", 2)
		o.Delete("rope_parameters")
		o.Set("rope_theta", 500)
		o.Set("partial_rotary_factor", 0.5)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, delta := older.Blocks[0].Mixer.(*family.DeltaNet); !delta || older.Blocks[1].Attn() == nil {
		t.Errorf("layers are %T and %T", older.Blocks[0].Mixer, older.Blocks[1].Mixer)
	}
	if diff := cmp.Diff(newer.Blocks, older.Blocks); diff != "" {
		t.Error(diff)
	}
}

func TestDeltaNetRefused(t *testing.T) {
	for name, edit := range map[string]func(o *family.Object){
		"type":       func(o *family.Object) { o.Set("layer_types", []string{"conv", "full_attention"}) },
		"activation": func(o *family.Object) { o.Set("hidden_act", "gelu") },
		"gate":       func(o *family.Object) { o.Set("attn_output_gate", false) },
	} {
		if _, err := golden(t, "qwen3_5_text", edit); !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := golden(t, "qwen3_5_text", func(o *family.Object) { o.Set("linear_num_value_heads", 3) }); err == nil {
		t.Error("3 value heads share 2 key heads")
	}
}

// Stock loaders of OLMo Hybrid turn nothing where the dictionary of the rotation has
// types of layers and no base beside them, and by the base where there is one.
func TestOLMoHybridLayerTypes(t *testing.T) {
	for _, edit := range []map[string]string{
		{"rope_parameters": `{"full_attention": null}`},
		{"rope_parameters": `{"full_attention": null}`, "rope_theta": "500"},
		{"rope_parameters": `{"full_attention": {"rope_theta": 500.0, "rope_type": "default"}}`},
	} {
		if _, err := golden(t, "olmo_hybrid", with(edit)); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "rope_parameters has full_attention") {
			t.Errorf("%v: %v: want a refusal", edit, err)
		}
	}
	m, err := golden(t, "olmo_hybrid", with(map[string]string{"rope_parameters": `{"full_attention": null, "rope_theta": 500.0, "rope_type": "default"}`}))
	if err != nil || m.Encoding() != "rope" || m.Rope.Theta != 500 {
		t.Errorf("%v, %v: want base 500", m, err)
	}
}

// The first OLMo Hybrid has no rotation, which its configuration says by a base of
// null; sizes that are not given are made of the others.
func TestOLMoHybridForms(t *testing.T) {
	for name, edit := range map[string]map[string]string{
		"in the dictionary": {"rope_parameters": `{"rope_theta": null, "rope_type": "default"}`},
		"at the top level":  {"rope_parameters": "", "rope_theta": "null"},
	} {
		m, err := golden(t, "olmo_hybrid", with(edit))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if e := m.Encoding(); e != "nope" {
			t.Errorf("%s: encoding %s", name, e)
		}
	}
	m, err := golden(t, "olmo_hybrid", with(map[string]string{"rope_parameters": "", "layer_types": "", "linear_num_key_heads": "", "linear_num_value_heads": "", "linear_key_head_dim": "", "linear_value_head_dim": ""}))
	if err != nil {
		t.Fatal(err)
	}
	d, ok := m.Blocks[0].Mixer.(*family.DeltaNet)
	if !ok || m.Blocks[1].Attn() == nil || m.Encoding() != "rope" {
		t.Fatalf("layers are %T and %T, the encoding %s", m.Blocks[0].Mixer, m.Blocks[1].Mixer, m.Encoding())
	}
	if got := []int{d.Heads, d.KHeads, d.KDim, d.VDim}; !slices.Equal(got, []int{4, 4, 6, 12}) {
		t.Errorf("sizes %v", got)
	}
}

// The keys of a mixture have two names each, and the layers' types are made of the
// group's size; sizes that stock loaders make of others are refused where they differ.
func TestBailingHybridKeys(t *testing.T) {
	want, err := golden(t, "bailing_hybrid", with(nil))
	if err != nil {
		t.Fatal(err)
	}
	got, err := golden(t, "bailing_hybrid", with(map[string]string{
		"moe_renormalize": "", "norm_topk_prob": "true", "num_expert_group": "", "n_group": "4", "num_experts_per_token": "", "num_experts_per_tok": "2",
		"num_shared_experts": "", "n_shared_experts": "1", "model_max_length": "", "max_position_embeddings": "32",
		"layer_types": "", "layer_group_size": "2", "mlp_layer_types": "", "kda_lower_bound": "", "linear_head_dim": "", "num_experts": "", "num_local_experts": "8"}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Blocks, got.Blocks); diff != "" {
		t.Error(diff)
	}
	for name, edit := range map[string]map[string]string{
		"size":  {"linear_head_dim": "16"},
		"bound": {"kda_lower_bound": "5"},
	} {
		if _, err := golden(t, "bailing_hybrid", with(edit)); !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	free, err := golden(t, "bailing_hybrid", with(map[string]string{"kda_safe_gate": "false"}))
	if err != nil {
		t.Fatal(err)
	}
	if d := free.Blocks[0].Mixer.(*family.DeltaNet); d.Bound != 0 || !d.KeyDecay {
		t.Errorf("bound %v without a safe gate", d.Bound)
	}
}
