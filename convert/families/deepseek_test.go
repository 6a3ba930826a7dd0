package families_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/posenc"
)

// What DeepSeek's and Kimi's published configurations say is the golden's model.
func TestDeepSeekPublished(t *testing.T) {
	want, err := golden(t, "deepseek_v3", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deepseek_v3", "kimi_k2"} {
		got, err := golden(t, "deepseek_v3", func(c *family.Object) {
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
		_, err := golden(t, "deepseek_v3", func(o *family.Object) { set(o, c.key, c.value) })
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v: want a refusal with %q", c.key, c.value, err, c.want)
		}
	}
	for _, key := range []string{"n_group", "routed_scaling_factor", "n_shared_experts"} { // the class has numbers of its own
		if _, err := golden(t, "deepseek_v3", func(o *family.Object) { o.Delete(key) }); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("without %s: %v", key, err)
		}
	}
	_, err := golden(t, "deepseek_v3", func(o *family.Object) {
		set(o, "rope_parameters", `{"rope_type":"yarn","rope_theta":500,"original_max_position_embeddings":16,"mscale_all_dim":1.0}`)
	})
	if err == nil || !strings.Contains(err.Error(), `"factor" is missing`) {
		t.Errorf("a factor of scores without its number: %v", err)
	}
}

// What Sarvam's published configurations say beside transformers' spelling.
func TestSarvamPublished(t *testing.T) {
	const yarn = `{"beta_fast": 32, "beta_slow": 1, "factor": 4, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 16, `
	want, err := golden(t, "sarvam_mla", func(c *family.Object) {
		set(c, "rope_parameters", yarn+`"rope_theta": 500, "rope_type": "yarn"}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	published := func(c *family.Object) {
		for _, key := range []string{"rope_parameters", "n_routed_experts", "n_shared_experts", "qk_head_dim", "n_group", "topk_group"} {
			c.Delete(key)
		}
		set(c, "num_experts", "8", "num_shared_experts", "1", "head_dim", "24", "q_head_dim", "20", "rope_theta", "500", "rope_scaling", yarn+`"type": "deepseek_yarn"}`,
			"n_group", "4", "topk_group", "2")
	}
	got, err := golden(t, "sarvam_mla", published)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Blocks, want.Blocks) || !reflect.DeepEqual(got.Rope, want.Rope) {
		t.Error("another model than the golden's")
	}
	_, err = golden(t, "deepseek_v3", func(c *family.Object) {
		c.Delete("rope_parameters")
		set(c, "rope_scaling", yarn+`"type": "deepseek_yarn"}`)
	})
	if err == nil || !strings.Contains(err.Error(), "deepseek_yarn") {
		t.Errorf("a type that loaders of deepseek_v3 stop at: %v", err)
	}
}

// The layers that have a mixture, and what else these families read in their own way.
func TestLatentFamilies(t *testing.T) {
	for _, c := range []struct {
		dir     string
		keys    []string // "" deletes
		refused string
	}{
		{"glm4_moe_lite", []string{"mlp_layer_types", "", "first_k_dense_replace", ""}, ""},
		{"glm4_moe_lite", []string{"mlp_layer_types", "", "first_k_dense_replace", "2"}, "first_k_dense_replace"},
		{"glm4_moe_lite", []string{"first_k_dense_replace", "2"}, ""}, // the list counts
		{"axk1", []string{"mlp_layer_types", "", "first_k_dense_replace", ""}, ""},
		{"axk1", []string{"mlp_layer_types", "", "moe_layer_freq", "2"}, "moe_layer_freq"},
		{"deepseek_v2", []string{"topk_method", `"noaux_tc"`}, "topk_method"},
		{"deepseek_v2", []string{"norm_topk_prob", "true"}, "norm_topk_prob"},
		{"deepseek_v2", []string{"scoring_func", `"sigmoid"`}, "scoring_func"},
		{"deepseek_v2", []string{"n_group", "3", "topk_group", "null"}, ""}, // greedy has no groups
		{"sarvam_mla", []string{"head_dim", "20"}, "head_dim"},
		{"longcat_flash", []string{"router_bias", "true"}, "router_bias"},
		{"longcat_flash", []string{"zero_expert_type", `"zero"`}, "zero_expert_type"},
		{"longcat_flash", []string{"mla_scale_q_lora", "false"}, "mla_scale_q_lora"},
		{"longcat_flash", []string{"norm_topk_prob", "true"}, "norm_topk_prob"},
	} {
		m, err := golden(t, c.dir, func(o *family.Object) {
			for i := 0; i < len(c.keys); i += 2 {
				if o.Delete(c.keys[i]); c.keys[i+1] != "" {
					set(o, c.keys[i], c.keys[i+1])
				}
			}
		})
		if c.refused != "" {
			if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s %q: %v: want a refusal with %q", c.dir, c.keys, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %q: %v", c.dir, c.keys, err)
		} else if m.Blocks[0].MLP() == nil || m.Blocks[1].Mixture() == nil {
			t.Errorf("%s %q: want a dense layer, then a mixture", c.dir, c.keys)
		}
	}
	m, err := golden(t, "minicpm3", func(o *family.Object) { set(o, "dim_model_base", "null", "scale_depth", "null") })
	if err != nil || m.LogitScale != 0 || m.Blocks[0].ResidualScale != 0 || m.EmbedScale != 3 {
		t.Errorf("minicpm3 with nulls: %v: factors %v, %v, %v", err, m.LogitScale, m.Blocks[0].ResidualScale, m.EmbedScale)
	}
}

// A checkpoint of A.X K1 may have no correction, and a norm that dense layers do not
// read.
func TestCorrectionMayMiss(t *testing.T) {
	s, err := store.Open("../../testdata/families/axk1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const correction, norm = "model.layers.1.mlp.gate.e_score_correction_bias", "model.layers.0.post_mlp_layernorm.weight"
	tensors := map[string]storetest.Tensor{}
	if _, err := storetest.Copy(s, func(name string, v *storetest.Tensor) error {
		if tensors[name] = *v; name == "model.layers.0.input_layernorm.weight" {
			tensors[norm] = *v
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	delete(tensors, correction)
	stored, err := storetest.New(s.Root(), s.FS(), tensors)
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.Load(stored)
	if err != nil {
		t.Fatal(err)
	}
	if m.Blocks[1].Mixture().Router.Correction != nil || m.Blocks[0].MLPOutNorm != nil || m.Blocks[1].MLPOutNorm == nil {
		t.Error("want no correction, and a norm of the mixture's output alone")
	}
}

// Which layers of GLM 5 have an indexer, by each of its spellings; every one of them
// is bounded by index_topk.
func TestSharedChoices(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want []bool // layers without an indexer
	}{
		{[]string{"indexer_types", `["full","shared"]`}, []bool{false, true}},
		{[]string{"index_topk_pattern", `"FS"`}, []bool{false, true}},
		{[]string{"index_topk_pattern", `["full","full"]`}, []bool{false, false}},
		{[]string{"index_topk_freq", "2", "index_skip_topk_offset", "1"}, []bool{false, true}},
		{[]string{"index_topk_freq", "2"}, []bool{false, false}}, // the offset is 2
		{nil, []bool{false, false}},
		{[]string{"indexer_types", `["shared","full"]`}, nil},
		{[]string{"index_topk_pattern", `"FX"`}, nil},
		{[]string{"layer_types", `["indexed_attention","full_attention"]`}, nil},
		{[]string{"rope_interleave", "false"}, nil},
	} {
		m, err := golden(t, "glm_moe_dsa", func(o *family.Object) {
			o.Delete("indexer_types")
			set(o, c.keys...)
		})
		if c.want == nil {
			if !errors.Is(err, posenc.ErrUnsupported) {
				t.Errorf("%q: %v: want a refusal", c.keys, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.keys, err)
			continue
		}
		for i, a := range m.Attentions() {
			if (a.Indexer == nil) != c.want[i] || a.Selects != 64 {
				t.Errorf("%q: layer %d: indexer %v, %d keys", c.keys, i, a.Indexer != nil, a.Selects)
			}
		}
	}
}

// A layer of LongCat Flash is two blocks; its published configuration spells some sizes
// otherwise, and an absent or null number of experts that pass on their input is the
// class's, or none.
func TestLongCat(t *testing.T) {
	m, err := golden(t, "longcat_flash", func(o *family.Object) {
		set(o, "zero_expert_type", `"identity"`, "attention_method", `"MLA"`, "mla_scale_q_lora", "true", "mla_scale_kv_lora", "true", "router_bias", "false", "num_hidden_layers", "4")
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Blocks) != 4 {
		t.Fatalf("%d blocks: want 4", len(m.Blocks))
	}
	for i, b := range m.Blocks {
		if (b.Shortcut != nil) != (i%2 == 0) || b.MLP() == nil {
			t.Errorf("block %d: a shortcut: %v", i, b.Shortcut != nil)
		}
	}
	if x := m.Blocks[2].Shortcut; x.Identity != 2 || x.Router.Linear.Weight.Shape[0] != 6 || m.Blocks[3].Attn().O.Weight.Tensor != "model.layers.1.self_attn.1.o_proj.weight" {
		t.Errorf("%d experts pass on their input, of %d; %s", x.Identity, x.Router.Linear.Weight.Shape[0], m.Blocks[3].Attn().O.Weight.Tensor)
	}
	for text, want := range map[string]int{"null": 0, "": 256} {
		m, err := golden(t, "longcat_flash", func(o *family.Object) {
			if o.Delete("zero_expert_num"); text != "" {
				set(o, "zero_expert_num", text)
			}
		})
		if err != nil || m.Blocks[0].Shortcut.Identity != want {
			t.Errorf("zero_expert_num %q: %v: want %d", text, err, want)
		}
	}
}
