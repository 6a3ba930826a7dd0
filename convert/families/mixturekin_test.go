package families_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// What published configurations of mixtures say is the golden's model.
func TestMixturesPublished(t *testing.T) {
	for name, c := range map[string]struct {
		without []string
		say     []string
	}{
		"lfm2_moe":     {[]string{"rope_parameters", "routed_scaling_factor", "norm_topk_prob", "use_expert_bias"}, []string{"rope_theta", "500", "tie_embedding", "true", "theta", "500", "block_dim", "32", "conv_dim", "32", "conv_dim_out", "32", "use_pos_enc", "true"}},
		"ernie4_5_moe": {[]string{"rope_parameters", "moe_layer_end_index", "moe_norm_min"}, []string{"rope_theta", "500", "rope_scaling", "null", "moe_gate", `"topk"`, "moe_use_aux_free", "true", "moe_capacity", "[64,64,64]", "compression_ratio", "1.0", "use_rmsnorm", "true", "fuse_rms_norm", "true", "num_nextn_predict_layers", "1"}},
		"hunyuan_v1_moe": {[]string{"rope_parameters", "moe_topk"}, []string{"rope_theta", "500", "rope_scaling", `{"alpha": 4.0, "factor": 1.0, "type": "dynamic"}`, "moe_topk", "[2, 2]",
			"moe_intermediate_size", "[8, 8]", "num_shared_expert", "[1, 1]", "use_mixed_mlp_moe", "true", "use_qk_norm", "true", "use_cla", "false", "norm_topk_prob", "true", "moe_layer_num_skipped", "0",
			"cla_share_factor", "2", "class_num", "0", "dense_list", "[32, 0]", "im_start_id", "4", "org_vocab_size", "64", "use_rotary_pos_emb", "true", "moe_drop_tokens", "false", "capacity_factor", "1.0"}},
		"cohere2_moe": {[]string{"rope_parameters", "mlp_layer_types", "layer_types"}, []string{"rope_theta", "500", "first_k_dense_replace", "1", "position_embedding_type", `"rope_gptj"`, "layer_types", `["sliding_attention","full_attention"]`}},
		"dbrx":        {[]string{"rope_parameters", "num_key_value_heads"}, []string{"rope_theta", "500"}},
		"aria_text":   {nil, []string{"moe_intermediate_size", "8", "moe_z_loss_coeff", "1e-05", "moe_aux_loss_coeff", "0.001"}},
		"axk1":        {nil, []string{"topk_method", `"noaux_tc"`, "scoring_func", `"sigmoid"`}},
		"phimoe":      {[]string{"rope_parameters"}, []string{"rope_theta", "500", "rope_scaling", "null"}},
	} {
		want, err := golden(t, name, func(*family.Object) {})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := golden(t, name, func(o *family.Object) {
			for _, key := range c.without {
				o.Delete(key)
			}
			set(o, c.say...)
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got.Blocks, want.Blocks) {
			t.Errorf("%s: another model than the golden's", name)
		}
	}
}

// What loaders of these families pass over, or differ on, is refused.
func TestMixturesRefused(t *testing.T) {
	cases := map[string][]string{ // key, value, word of the error
		"ernie4_5_moe":   {"moe_gate", `"sinkhorn"`, "moe_gate", "use_bias", "true", "biases", "moe_use_aux_free", "false", "moe_use_aux_free", "compression_ratio", "0.5", "compression_ratio", "use_rmsnorm", "false", "use_rmsnorm"},
		"hunyuan_v1_moe": {"use_mixed_mlp_moe", "false", "use_mixed_mlp_moe", "routed_scaling_factor", "2.5", "routed_scaling_factor", "moe_layer_num_skipped", "1", "skipped", "moe_drop_tokens", "true", "capacity", "use_rotary_pos_emb", "false", "use_rotary_pos_emb", "use_cla", "true", "another layer"},
		"cohere2_moe":    {"position_embedding_type", `"alibi"`, "rope_gptj", "expert_selection_fn", `"top1"`, "expert_selection_fn", "shared_expert_combination_strategy", `"max"`, "average or sum"},
		"dbrx":           {"rope_parameters", "null", "attn_config", "ffn_config", `{"ffn_hidden_size":16,"moe_num_experts":4,"moe_top_k":2,"moe_normalize_expert_weights":2}`, "their sum"},
		"phimoe": {"num_experts_per_tok", "1", "sparse mixer", "rope_parameters", `{"rope_type":"yarn","factor":2,"rope_theta":500,"short_mscale":1,"long_mscale":1}`, "longrope",
			"rope_parameters", `{"rope_type":"longrope","rope_theta":500,"short_factor":[1,1,1,1,1,1,1,1],"long_factor":[1,1,1,1,1,1,1,1],"original_max_position_embeddings":16,"short_mscale":1.1,"long_mscale":1.2}`, "depends on the length"},
		"aria_text": {"mlp_bias", "true", "mlp_bias", "moe_intermediate_size", "20", "intermediate_size"},
		"lfm2_moe":  {"theta", "10000", "theta", "conv_dim", "20", "conv_dim", "use_pos_enc", "false", "use_pos_enc"},
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		for c := cases[name]; len(c) > 0; c = c[3:] {
			_, err := golden(t, name, func(o *family.Object) {
				if c[1] == "null" {
					o.Delete(c[0])
				} else {
					o.Set(c[0], json.RawMessage(c[1]))
				}
			})
			if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c[2]) {
				t.Errorf("%s: %s %s: %v: want a refusal with %q", name, c[0], c[1], err, c[2])
			}
		}
	}
	if _, err := golden(t, "hunyuan_v1_moe", func(o *family.Object) { set(o, "moe_topk", "[2]") }); err == nil || !strings.Contains(err.Error(), "expected 2") {
		t.Errorf("one number for two layers: %v", err)
	}
}

// Layers by keys: those without a mixture, and cohere2_moe's windows and rotations.
func TestMixtureLayers(t *testing.T) {
	dense := func(m *family.Model) (list []bool) {
		for i := range m.Blocks {
			list = append(list, m.Blocks[i].Mixture() == nil)
		}
		return list
	}
	m, err := golden(t, "ernie4_5_moe", func(o *family.Object) {
		set(o, "num_hidden_layers", "6", "moe_layer_start_index", "1", "moe_layer_end_index", "4", "moe_layer_interval", "2")
	})
	if err != nil || !slices.Equal(dense(m), []bool{true, false, true, false, true, true}) {
		t.Errorf("ernie4_5_moe: %v, %v", err, m)
	}
	m, err = golden(t, "cohere2_moe", func(o *family.Object) {
		o.Delete("layer_types")
		o.Delete("mlp_layer_types")
		set(o, "num_hidden_layers", "6", "first_k_dense_replace", "2", "shared_expert_combination_strategy", `"sum"`, "expert_selection_fn", `"sigmoid"`)
	})
	if err != nil || !slices.Equal(dense(m), []bool{true, true, false, false, false, false}) {
		t.Fatalf("cohere2_moe: %v, %v", err, m)
	}
	var windows, still []bool
	for i := range m.Blocks {
		windows, still = append(windows, m.Blocks[i].Attn().Window > 0), append(still, m.Blocks[i].Attn().Rotary.Dim == 0)
	}
	// dense layers see everything and turn; of the mixtures every fourth sees everything and stands still
	if !slices.Equal(windows, []bool{false, false, true, true, true, false}) || !slices.Equal(still, []bool{false, false, false, false, false, true}) {
		t.Errorf("cohere2_moe: windows %v, without rotation %v", windows, still)
	}
	if x := m.Blocks[5].Mixture(); x.Scale != 0 || x.Router.Score != "sigmoid" || !x.Router.Normalise {
		t.Errorf("cohere2_moe: %+v", x.Router)
	}
}

// Loaders of solar_open have no dense layers, whatever the key says: a warning.
func TestSolarOpenDense(t *testing.T) {
	m, err := golden(t, "solar_open", func(o *family.Object) { set(o, "first_k_dense_replace", "1") })
	if err != nil || !strings.Contains(strings.Join(m.Warnings, "\n"), "first_k_dense_replace is 1") {
		t.Errorf("%v, %v", err, m)
	}
}
