package family_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/convert/family/evidence"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// advice is what a refusal says can be done, after what it found.
var advice = regexp.MustCompile(`\b(use|remove|write|set|merge|move|save|rename|drop|leave|say|keep|are read)\b|\(valid: `)

func advises(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("%s: error %v: want a refusal", what, err)
	} else if !advice.MatchString(err.Error()) {
		t.Errorf("%s: %v: says nothing of what can be done", what, err)
	}
}

// Every refusal that can be listed says what can be done: guarded keys, unknown
// ones, rope dictionaries, wrappers, forms of the families, quantised weights.
func TestRefusalsAdvise(t *testing.T) {
	refused := func(what, golden string, edits map[string]string) {
		_, err := families.FromConfig(edited(t, "../../testdata/golden/"+golden, edits))
		advises(t, what, err)
	}
	for _, g := range config.GuardedKeys() {
		if !g.Foreign {
			refused(g.Key, "llama-gqa", map[string]string{g.Key: `"other"`})
		}
	}
	refused("unknown", "llama-gqa", map[string]string{"my_note": `"x"`, "my_list": "[1]"})
	for _, n := range family.RopeNotes() {
		if n.Refused != "" {
			refused(n.Key, "llama-gqa", map[string]string{"rope_parameters": `{"rope_type":"yarn","factor":2,"rope_theta":300,"original_max_position_embeddings":16,"` + n.Key + `":0.5}`})
		}
	}
	for what, dict := range map[string]string{"unknown": `{"rope_type":"linear","factor":2,"x":1}`, "default": `{"rope_type":"default","factor":2}`, "type": `{"rope_type":"x"}`,
		"nested": `{"full_attention":{"rope_type":"default"}}`, "null": `{"rope_type":"default","rope_theta":null}`, "partial": `{"rope_type":"default","partial_rotary_factor":0.5}`} {
		refused("rope "+what, "llama-gqa", map[string]string{"rope_parameters": dict})
	}
	for what, c := range map[string]struct {
		golden, key, value string
	}{
		"model_type": {"llama-gqa", "model_type", `"gemma3_text"`}, "wrapper": {"llama-gqa", "text_config", `{"model_type":"llama"}`}, "unknown wrapper": {"llama-gqa", "llm_config", `{"model_type":"x"}`},
		"nameless wrapper": {"llama-gqa", "text_config", `{"hidden_size":4}`}, "activation": {"llama-gqa", "hidden_act", `"elu"`}, "null": {"gpt-neox", "use_parallel_residual", "null"},
		"null head": {"qwen3", "head_dim", "null"}, "head": {"gpt-neox", "head_dim", "2"}, "residual": {"bloom", "apply_residual_connection_post_layernorm", "true"},
		"bias": {"mpt", "no_bias", "false"}, "scale": {"mpt", "logit_scale", "0.5"}, "clip": {"mpt", "attn_config", `{"clip_qkv":1}`}, "norm": {"mpt", "norm_type", `"x"`},
		"layers": {"mistral", "layer_types", `["full_attention","sliding_attention"]`}, "parallel": {"falcon-grouped", "parallel_attn", "false"}, "two norms": {"falcon-multiquery", "num_ln_in_parallel_attn", "2"},
		"variant": {"grape-rope", "grape_variant", `"x"`}, "gate": {"grape-fox", "use_output_gate", "true"},
	} {
		refused(what, c.golden, map[string]string{c.key: c.value})
	}
}

// Quantised weights are recognised by their tensors, each kind with its evidence
// and with what can be done; what is not one is not taken for it.
func TestQuantisedByTheirTensors(t *testing.T) {
	src := renamed(t, "llama-gqa", func(name string) string { return name }).(*storetest.Memory)
	const of = "model.layers.0.self_attn.q_proj"
	for _, f := range evidence.Formats() {
		codes, kinds, _ := strings.Cut(strings.TrimPrefix(f.Codes, "*"), " (")
		kind, _, _ := strings.Cut(strings.TrimSuffix(kinds, ")"), ", ")
		d := tensor.F16
		if kind != "" {
			var err error
			if d, err = tensor.ParseDType(kind); err != nil {
				t.Fatal(err)
			}
		}
		tensors := map[string]storetest.Tensor{}
		for name, v := range src.Tensors {
			if name != of+".weight" {
				tensors[name] = v
			}
		}
		small := func(d tensor.DType) storetest.Tensor {
			return storetest.Tensor{DType: d, Shape: []int64{2, 2}, Data: make([]byte, 4*d.Size())}
		}
		tensors[of+codes] = small(d)
		for _, suffix := range f.Beside {
			tensors[of+suffix] = small(tensor.F32)
		}
		s, err := storetest.New(src.Root(), src.FS(), tensors)
		if err != nil {
			t.Fatal(err)
		}
		_, err = families.Load(s)
		advises(t, f.Name, err)
		for _, want := range append([]string{"quantised (" + f.Name + ")", of + codes, d.String(), "unquantised checkpoint"}, f.Beside...) {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want %q in it", f.Name, err, want)
			}
		}
	}
	if err := evidence.Quantised(src, &config.Config{Object: &config.Object{}}); err != nil {
		t.Errorf("plain weights: %v", err)
	}
}

// null is what stock loaders make of it, as run with transformers 5.24; keys that
// are not read are warned of, named with --ignore-key, or passed over.
func TestNullsAndNotes(t *testing.T) {
	for name, c := range map[string]struct {
		golden string
		edits  map[string]string
		warned string // "" is none
		check  func(m *family.Model) bool
	}{
		"factor null":      {"llama-gqa", map[string]string{"rope_parameters": `{"rope_type":"yarn","rope_theta":300,"factor":null,"original_max_position_embeddings":16}`}, "", func(m *family.Model) bool { return m.Blocks[0].Attn().Rotary.Gain == posenc.YaRNGain(2, 1) }},
		"beta 0":           {"llama-gqa", map[string]string{"rope_parameters": `{"rope_type":"yarn","rope_theta":300,"factor":2,"beta_fast":0,"original_max_position_embeddings":16}`}, "", func(m *family.Model) bool { return m.Rope.BetaFast == 32 }},
		"truncate null":    {"llama-gqa", map[string]string{"rope_parameters": `{"rope_type":"yarn","rope_theta":300,"factor":2,"truncate":null,"original_max_position_embeddings":16}`}, "truncate is null", func(m *family.Model) bool { return !m.Rope.Truncate }},
		"neox base":        {"gpt-neox", map[string]string{"rope_parameters": "", "rope_theta": "7", "rotary_emb_base": "9"}, "rotary_emb_base is 9 and rope_theta is 7", func(m *family.Model) bool { return m.Rope.Theta == 9 }},
		"neox theta":       {"gpt-neox", map[string]string{"rope_parameters": "", "rope_theta": "7"}, "rope_theta is 7, which loaders of family gpt_neox do not read", func(m *family.Model) bool { return m.Rope.Theta == 10000 }},
		"bloom heads":      {"bloom", map[string]string{"num_attention_heads": "2"}, "num_attention_heads is 2 and n_head is 4", func(m *family.Model) bool { return m.Blocks[0].Attn().Heads == 2 }},
		"mpt heads":        {"mpt", map[string]string{"num_attention_heads": "2"}, "num_attention_heads is 2 and n_heads is 4", func(m *family.Model) bool { return m.Blocks[0].Attn().Heads == 2 }},
		"equal spellings":  {"mpt", map[string]string{"num_attention_heads": "4.0"}, "", func(m *family.Model) bool { return m.Blocks[0].Attn().Heads == 4 }},
		"falcon null":      {"falcon-alibi", map[string]string{"multi_query": "null", "parallel_attn": "null"}, "", func(m *family.Model) bool { return !m.Blocks[0].Parallel && m.Blocks[0].Attn().KVHeads == 4 }},
		"bias null":        {"llama-gqa", map[string]string{"attention_bias": "null"}, "", func(m *family.Model) bool { return m.Blocks[0].Attn().Q.Bias == nil }},
		"window null":      {"starcoder2", map[string]string{"sliding_window": "null"}, "", func(m *family.Model) bool { return m.Blocks[0].Attn().Window == 0 }},
		"original lengths": {"llama3-scaled", map[string]string{"original_max_position_embeddings": "8"}, "is 8 at the top level and 16 in rope_parameters", func(m *family.Model) bool { return m.TrainedLength == 8 }},
		"inert": {"llama-gqa", map[string]string{"use_cache": "false", "num_nextn_predict_layers": "1", "temperature": "0.7", "is_causal": "true", "per_layer_config": "{}", "layer_types": `["full_attention","full_attention"]`,
			"attention_chunk_size": "null", "some_new_key": "null", "unsloth_version": `"2025"`, "qkv_bias": "true"}, "", func(m *family.Model) bool { return true }},
		"false": {"llama-gqa", map[string]string{"my_switch": "false"}, "my_switch: false", func(m *family.Model) bool { return true }},
		"class": {"llama-gqa", map[string]string{"architectures": `["LlamaBidirectionalModel"]`}, "architectures names LlamaBidirectionalModel", func(m *family.Model) bool { return true }},
		"code":  {"llama-gqa", map[string]string{"auto_map": `{"AutoModel":"modeling_x.X"}`}, "auto_map names code", func(m *family.Model) bool { return true }},
		"agree": {"llama-gqa", map[string]string{"rope_theta": "300", "rope_parameters": `{"rope_type":"yarn","rope_theta":300.0,"factor":2,"original_max_position_embeddings":16}`,
			"rope_scaling": `{"type":"yarn","factor":2.0,"original_max_position_embeddings":16}`}, "", func(m *family.Model) bool { return m.Rope.Theta == 300 }},
	} {
		base, err := families.FromConfig(edited(t, "../../testdata/golden/"+c.golden, nil))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.FromConfig(edited(t, "../../testdata/golden/"+c.golden, c.edits))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all := strings.Join(m.Warnings, "\n")
		if !c.check(m) || !strings.Contains(all, c.warned) || c.warned == "" && len(m.Warnings) > len(base.Warnings) {
			t.Errorf("%s: warnings %q", name, m.Warnings)
		}
	}
	c := edited(t, gqa, map[string]string{"my_note": `"x"`})
	c.Ignore = []string{"my_note", "not_there"}
	if m, err := families.FromConfig(c); err != nil || m.Config.Has("my_note") || len(m.Config.Ignore) != 1 {
		t.Errorf("a key that changes nothing: %v", err)
	}
	c.Ignore = []string{"hidden_size"}
	if _, err := families.FromConfig(c); err == nil || !strings.Contains(err.Error(), `key "hidden_size" is to be passed over`) {
		t.Errorf("a key that the family reads: %v", err)
	}
}
