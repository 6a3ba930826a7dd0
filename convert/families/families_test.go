package families_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// What is known and not read is refused by what it has, and no hint sends it to
// another family.
func TestMissing(t *testing.T) {
	list := families.Missing()
	if len(list) == 0 {
		t.Fatal("no family is known and not read")
	}
	for _, m := range list {
		_, err := families.Find(m.ModelType)
		if err == nil {
			t.Errorf("%s is read", m.ModelType)
			continue
		}
		for _, want := range append(m.Needs, m.ModelType) {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want %q in it", m.ModelType, err, want)
			}
		}
		if strings.Contains(err.Error(), "did you mean") || strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s: %v: a known type is taken for a slip of another", m.ModelType, err)
		}
	}
	for _, known := range []string{"gpt2", "mamba", "xlm-roberta", "inkling_text"} { // kinds without a rotation or a slope
		if !slices.ContainsFunc(list, func(m family.Missing) bool { return m.ModelType == known }) {
			t.Errorf("%s has no row", known)
		}
	}
	if _, err := families.Find("lama"); err == nil || !strings.Contains(err.Error(), `did you mean "llama"?`) {
		t.Errorf("lama: %v", err)
	}
}

// What published configurations say beside those of transformers 5.24 is read where
// it says what all loaders of the family do, and refused where it does not.
func TestPublishedKeys(t *testing.T) {
	for _, c := range []struct {
		dir, key, value string
		refused         bool
	}{
		{"cohere2", "position_embedding_type", `"rope_gptj"`, false},
		{"cohere2", "position_embedding_type", `"learned"`, true},
		{"cohere2", "use_parallel_block", "true", false},
		{"cohere2", "use_parallel_block", "false", true},
		{"cohere2", "order_of_interleaved_layers", `"local_attn_first"`, false},
		{"cohere2", "sliding_window", "null", true},
		{"gptj", "rotary", "true", false},
		{"gptj", "rotary", "false", true},
		{"hunyuan_v1_dense", "use_qk_norm", "true", false},
		{"hunyuan_v1_dense", "use_cla", "true", true},
		{"internlm3", "mlp_bias", "true", true},
		{"granite", "head_dim", "24", false},         // not the hidden size over the heads
		{"gpt_oss", "rope_parameters", "null", true}, // yarn of factor 32 to loaders
		{"dbrx", "rope_parameters", "null", true},
		{"qwen3_next", "layer_types", `["linear_attention", "linear_attention"]`, true},
		{"lfm2", "layer_types", `["conv", "conv"]`, true},
	} {
		config, err := family.LoadConfig("../../testdata/families/" + c.dir)
		if err != nil {
			t.Fatal(err)
		}
		config.Set(c.key, json.RawMessage(c.value))
		m, err := families.FromConfig(config)
		switch {
		case c.refused && !errors.Is(err, posenc.ErrUnsupported):
			t.Errorf("%s, %s %s: error %v: want a refusal", c.dir, c.key, c.value, err)
		case !c.refused && err != nil:
			t.Errorf("%s, %s %s: %v", c.dir, c.key, c.value, err)
		case !c.refused && len(m.Warnings) > 0:
			t.Errorf("%s, %s %s: warnings %q", c.dir, c.key, c.value, m.Warnings)
		}
	}
}

// What keys that are absent stand for in transformers 5.24.
func TestAbsent(t *testing.T) {
	m, err := golden(t, "ministral3", func(o *family.Object) {
		rope, err := o.Object("rope_parameters")
		if err != nil {
			t.Fatal(err)
		}
		rope.Delete("rope_theta")
		o.Set("rope_parameters", rope)
	})
	if err != nil || m.Rope.Theta != 10000 {
		t.Errorf("ministral3 without rope_theta: error %v, base %v: want 10000", err, m.Rope.Theta)
	}
	m, err = golden(t, "afmoe", func(o *family.Object) { o.Delete("num_dense_layers") })
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Blocks {
		if dense := m.Blocks[i].Mixture() == nil; dense != (i == 0) {
			t.Errorf("afmoe without num_dense_layers: layer %d is dense: %v", i, dense)
		}
	}
	mimo := func(more string) error {
		_, err := golden(t, "mimo_v2_flash", func(o *family.Object) {
			o.Set("head_dim", 24) // of which the default share turns 8
			o.Set("rope_parameters", object(t, `{"full_attention": {"rope_type": "default", "rope_theta": 500.0},
				"sliding_attention": {"type": "yarn", "rope_theta": 100.0, "factor": 2.0, "original_max_position_embeddings": 16`+more+`}}`))
		})
		return err
	}
	if err := mimo(""); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "sliding_attention is of type yarn and has no partial_rotary_factor") {
		t.Errorf("mimo_v2_flash, yarn without partial_rotary_factor: %v: want a refusal", err)
	}
	if err := mimo(`, "partial_rotary_factor": 0.334`); err != nil {
		t.Errorf("mimo_v2_flash, yarn with partial_rotary_factor: %v", err)
	}
	scaled := func(o *family.Object) { o.Set("rope_scaling", object(t, `{"type": "linear", "factor": 4.0}`)) }
	if _, err := golden(t, "cohere2_moe", func(o *family.Object) { o.Delete("rope_parameters"); scaled(o) }); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "rope_scaling is of type linear") {
		t.Errorf("cohere2_moe with rope_scaling alone: %v: want a refusal", err)
	}
	if m, err = golden(t, "cohere2_moe", func(o *family.Object) {
		o.Set("rope_parameters", object(t, `{"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}`))
		o.Set("rope_theta", 500.0)
		scaled(o)
	}); err != nil || m.Rope.Type != "linear" {
		t.Errorf("cohere2_moe with both: %v", err)
	}
}

// Published Hunyuan configurations say alpha beside keys that nothing reads; the base
// is that of the golden's spelling, and any other family refuses the key.
func TestAlpha(t *testing.T) {
	published := func(c *family.Object) {
		c.Delete("rope_parameters")
		c.Set("rope_theta", 500)
		c.Set("rope_scaling", json.RawMessage(`{"alpha": 4.0, "beta_fast": 32, "beta_slow": 1, "factor": 1.0, "mscale": 1.0, "mscale_all_dim": 0.0, "type": "dynamic"}`))
	}
	want, err := golden(t, "hunyuan_v1_dense", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	got, err := golden(t, "hunyuan_v1_dense", published)
	if err != nil {
		t.Fatal(err)
	}
	if base := 500 * math.Pow(4, 16.0/14); got.Rope.Theta != want.Rope.Theta || math.Abs(got.Rope.Theta/base-1) > 1e-15 || got.Rope.Type != "default" {
		t.Errorf("base %v of type %s, of the golden %v: want %v of type default", got.Rope.Theta, got.Rope.Type, want.Rope.Theta, base)
	}
	if _, err := golden(t, "seed_oss", published); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "alpha") {
		t.Errorf("another family: %v: want a refusal of alpha", err)
	}
}
