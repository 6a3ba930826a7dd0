package families_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// edited reads the golden's configuration of a family after an edit.
func edited(t *testing.T, dir string, edit func(c *family.Config)) (*family.Model, error) {
	t.Helper()
	config, err := family.LoadConfig("../../testdata/families/" + dir)
	if err != nil {
		t.Fatal(err)
	}
	edit(config)
	return families.FromConfig(config)
}

func set(c *family.Config, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		c.Set(pairs[i], json.RawMessage(pairs[i+1]))
	}
}

// What DeepSeek's and Kimi's published configurations say is the golden's model.
func TestDeepSeekPublished(t *testing.T) {
	want, err := edited(t, "deepseek_v3", func(*family.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deepseek_v3", "kimi_k2"} {
		got, err := edited(t, "deepseek_v3", func(c *family.Config) {
			c.Delete("rope_parameters")
			c.Delete("rope_interleave")
			c.Delete("head_dim")
			c.Delete("qk_head_dim")
			set(c, "model_type", `"`+name+`"`, "topk_method", `"noaux_tc"`, "scoring_func", `"sigmoid"`, "moe_layer_freq", "1", "ep_size", "1", "aux_loss_alpha", "0.001", "seq_aux", "true",
				"rope_theta", "500", "rope_scaling", `{"beta_fast": 32, "beta_slow": 1, "factor": 4, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 16, "type": "yarn"}`)
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got.Blocks, want.Blocks) || !reflect.DeepEqual(got.Rope, want.Rope) {
			t.Errorf("%s: another model than the golden's", name)
		}
	}
}

// What the loaders of these families pass over, or stop at, is refused.
func TestDeepSeekRefused(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"topk_method", `"greedy"`, "topk_method"},
		{"scoring_func", `"softmax"`, "scoring_func"},
		{"moe_layer_freq", "2", "moe_layer_freq"},
		{"num_key_value_heads", "2", "key/value heads"},
		{"qk_head_dim", "24", "qk_head_dim"},
		{"head_dim", "20", "head_dim"},
		{"qk_rope_head_dim", "7", "even"},
	} {
		_, err := edited(t, "deepseek_v3", func(o *family.Config) { set(o, c.key, c.value) })
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v: want a refusal with %q", c.key, c.value, err, c.want)
		}
	}
	for _, key := range []string{"n_group", "routed_scaling_factor", "first_k_dense_replace"} { // the class has numbers of its own
		if _, err := edited(t, "deepseek_v3", func(o *family.Config) { o.Delete(key) }); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("without %s: %v", key, err)
		}
	}
	_, err := edited(t, "deepseek_v3", func(o *family.Config) {
		set(o, "rope_parameters", `{"rope_type":"yarn","rope_theta":500,"original_max_position_embeddings":16,"mscale_all_dim":1.0}`)
	})
	if err == nil || !strings.Contains(err.Error(), `"factor" is missing`) {
		t.Errorf("a factor of scores without its number: %v", err)
	}
}
