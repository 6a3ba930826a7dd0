package family_test

import (
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Tensors that serve something else than the logits are passed over, most with a
// warning; those of an adapter that is not merged are refused.
func TestTensorsBesideTheModel(t *testing.T) {
	src := renamed(t, "llama-gqa", func(name string) string { return name }).(*storetest.Memory)
	for name, want := range map[string]string{
		"v_head.summary.weight":                                "a value head",
		"model.layers.0.self_attn.k_cache_scale":               "8 bits",
		"model.layers.0.self_attn.q_proj.output_scale":         "8 bits",
		"model.position_ids":                                   "",
		"model.layers.0.self_attn.q_proj.lora_A.weight":        "refused",
		"model.layers.0.self_attn.q_proj.base_layer.weight":    "refused",
		"model.layers.0.mlp.up_proj.lora_B.default.weight":     "refused",
		"model.layers.0.mlp.up_proj.lora_magnitude_vector":     "refused",
		"base_model.model.model.layers.0.q_proj.lora_A.weight": "refused",
	} {
		tensors := map[string]storetest.Tensor{name: {DType: tensor.F32, Shape: []int64{1}, Data: make([]byte, 4)}}
		for k, v := range src.Tensors {
			tensors[k] = v
		}
		s, err := storetest.New(src.Root(), src.FS(), tensors)
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(s)
		if want == "refused" {
			advises(t, name, err)
			if err != nil && (!strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "merge_and_unload")) {
				t.Errorf("%s: %v: want the name and how to merge", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		told := strings.Join(m.Warnings, "\n")
		if want == "" && strings.Contains(told, name) || want != "" && (!strings.Contains(told, name) || !strings.Contains(told, want)) {
			t.Errorf("%s: warnings %q: want %q", name, told, want)
		}
	}
}
