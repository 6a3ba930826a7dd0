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
		{"granite", "head_dim", "24", false}, // not the hidden size over the heads
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
