package family_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Forms that are not read, and values no form has, are refused by name.
func TestRefusedForms(t *testing.T) {
	attn := func(edit string) map[string]string {
		return map[string]string{"attn_config": `{"alibi":true,` + edit + `}`}
	}
	for name, c := range map[string]struct {
		dir         string
		edits       map[string]string
		want        []string
		unsupported bool
	}{
		"bloom residual":      {"bloom", map[string]string{"apply_residual_connection_post_layernorm": "true"}, []string{"apply_residual_connection_post_layernorm is true"}, true},
		"bloom heads":         {"bloom", map[string]string{"n_head": "3"}, []string{"hidden_size 64 does not divide by 3 attention heads"}, false},
		"bloom no heads":      {"bloom", map[string]string{"n_head": ""}, []string{`"num_attention_heads" is missing, and so is "n_head"`}, false},
		"mpt clip":            {"mpt", attn(`"clip_qkv":6`), []string{"attn_config: clip_qkv is 6"}, true},
		"mpt scale":           {"mpt", attn(`"softmax_scale":0.1`), []string{"softmax_scale is 0.1"}, true},
		"mpt prefix":          {"mpt", attn(`"prefix_lm":true`), []string{"prefix_lm is true"}, true},
		"mpt norms of q, k":   {"mpt", attn(`"qk_ln":true`), []string{"qk_ln is true"}, true},
		"mpt one key":         {"mpt", attn(`"attn_type":"multiquery_attention"`), []string{`attn_type "multiquery_attention"`}, true},
		"mpt bias max":        {"mpt", attn(`"alibi_bias_max":16`), []string{"alibi_bias_max is 16: stock loaders take 8"}, true},
		"mpt learned":         {"mpt", map[string]string{"attn_config": `{"alibi":false}`}, []string{"alibi is false"}, true},
		"mpt config":          {"mpt", map[string]string{"attn_config": `[]`}, []string{`key "attn_config"`}, false},
		"mpt logits":          {"mpt", map[string]string{"logit_scale": `"inv_sqrt_d_model"`}, []string{`logit_scale is "inv_sqrt_d_model"`}, true},
		"mpt biases":          {"mpt", map[string]string{"no_bias": "false"}, []string{"no_bias is false"}, true},
		"mpt norm":            {"mpt", map[string]string{"norm_type": `"rmsnorm"`}, []string{`norm_type "rmsnorm"`}, true},
		"falcon serial group": {"falcon-grouped", map[string]string{"parallel_attn": "false"}, []string{"new_decoder_architecture with parallel_attn false"}, true},
		"falcon two norms":    {"falcon-multiquery", map[string]string{"num_ln_in_parallel_attn": "2"}, []string{"num_ln_in_parallel_attn 2"}, true},
		"falcon keys":         {"falcon-alibi", map[string]string{"num_kv_heads": "2"}, []string{"num_kv_heads 2"}, true},
		"falcon activation":   {"falcon-alibi", map[string]string{"activation": `"elu"`}, []string{`activation "elu" is unknown`}, true},
		"falcon partial":      {"falcon-multiquery", map[string]string{"rope_parameters": `{"rope_type":"default","rope_theta":1e4,"partial_rotary_factor":0.5}`}, []string{"partial_rotary_factor 0.5"}, true},
		"smollm3 layers":      {"smollm3", map[string]string{"no_rope_layers": "[1,0]"}, []string{"no_rope_layers lists 2 layers: expected 4"}, false},
		"smollm3 layer kinds": {"smollm3", map[string]string{"no_rope_layers": `["a"]`}, []string{`"no_rope_layers"`, "a list of numbers"}, false},
		"grape, which":        {"grape-rope", map[string]string{"grape_variant": ""}, []string{`key "grape_variant" is missing`, "rope, alibi, fox, grape-m-nonctx"}, true},
		"grape variant":       {"grape-rope", map[string]string{"grape_variant": `"grape-a-keygate"`}, []string{`grape_variant "grape-a-keygate" is unknown; did you mean "grape-a-keygated"?`}, true},
		"official name":       {"grape-rope", map[string]string{"model_type": `"gpt2"`}, []string{`model_type "gpt2" of class GPT`, `set model_type to "grape"`}, true},
		"grape odd heads":     {"grape-rope", map[string]string{"head_dim": "15"}, []string{"head_dim 15 is odd"}, true},
		"grape base":          {"grape-rope", map[string]string{"rope_base": "-1"}, []string{`"rope_base" is -1: expected a positive number`}, false},
		"fox gate":            {"grape-fox", map[string]string{"fgate_type": `"bias_only"`}, []string{`fgate_type "bias_only": expected full`}, true},
		"fox output gate":     {"grape-fox", map[string]string{"use_output_gate": "true"}, []string{"use_output_gate is true"}, true},
		"fox keys":            {"grape-fox", map[string]string{"num_kv_heads": "2"}, []string{"num_kv_heads is 2"}, true},
		"log_freq scale":      {"grape-m-nonctx", map[string]string{"grape_log_freq_scale": "0"}, []string{`"grape_log_freq_scale" is 0: expected a positive number`}, false},
		"phase scale":         {"grape-m-ctx", map[string]string{"grape_ctx_omega_scale": `"x"`}, []string{`"grape_ctx_omega_scale" is "x": expected a number`}, false},
		"norm of u":           {"grape-a-keygated", map[string]string{"keygated_u_l2_eps": "-1"}, []string{`"keygated_u_l2_eps" is -1`}, false},
		"p tie":               {"grape-ap-v1", map[string]string{"p_tie_mode": `"pxtie"`}, []string{`p_tie_mode "pxtie" is unknown; did you mean`}, true},
		"p size":              {"grape-ap-v1", map[string]string{"p_head_dim": "7"}, []string{"p_head_dim is 7: expected an even number"}, false},
		"p size tied":         {"grape-ap-v1-pktie", map[string]string{"p_head_dim": "8"}, []string{"p_head_dim is 8", "the head size 16 where p is tied"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := families.FromConfig(edited(t, golden+c.dir, c.edits))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range append(c.want, "config.json: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q: want %q in it", err, want)
				}
			}
			if errors.Is(err, posenc.ErrUnsupported) != c.unsupported {
				t.Errorf("error %q: unsupported %v, want %v", err, !c.unsupported, c.unsupported)
			}
		})
	}
}

// Other spellings and defaults read as the family's own code reads them.
func TestForeignSpellings(t *testing.T) {
	for name, c := range map[string]struct {
		dir   string
		edits map[string]string
		check func(m *family.Model) bool
	}{
		"bloom, older sizes": {"bloom", map[string]string{"hidden_size": "", "n_embed": "64", "n_layer": "", "num_hidden_layers": "2", "n_head": "", "num_attention_heads": "4", "layer_norm_epsilon": "", "seq_length": "512"},
			func(m *family.Model) bool {
				return m.Hidden == 64 && m.FinalNorm.Eps == 1e-5 && m.TrainedLength == 512 && m.TrainedLengthFrom == "seq_length"
			}},
		"neox, transformers 4": {"gpt-neox", map[string]string{"rope_parameters": "", "rotary_pct": "0.5", "rotary_emb_base": "500"},
			func(m *family.Model) bool {
				return m.Blocks[0].Attn().Rotary.Dim == 8 && m.Rope.Theta == 500 && m.Warnings == nil
			}},
		"neox, defaults": {"gpt-neox", map[string]string{"rope_parameters": "", "layer_norm_eps": "", "attention_bias": "", "use_parallel_residual": ""},
			func(m *family.Model) bool {
				return m.Blocks[0].Attn().Rotary.Dim == 4 && m.Rope.Theta == 10000 && m.Blocks[0].Parallel && m.Blocks[0].Attn().Q.Bias != nil && len(m.Warnings) == 1
			}},
		"mpt, no length": {"mpt", map[string]string{"max_seq_len": "", "layer_norm_epsilon": "", "attn_config": ""},
			func(m *family.Model) bool { return m.MaxPositions == 2048 && m.FinalNorm.Eps == 1e-5 }},
		"mpt, ratio": {"mpt", nil, func(m *family.Model) bool {
			return m.Blocks[0].MLP().Up.Weight.Shape[0] == 256 && len(m.Warnings) == 1 && strings.Contains(m.Warnings[0], "expansion_ratio is 2")
		}},
		"falcon, defaults": {"falcon-multiquery", map[string]string{"multi_query": "", "parallel_attn": "", "activation": "", "ffn_hidden_size": "", "bias": "", "rope_parameters": "null"},
			func(m *family.Model) bool {
				return m.Blocks[0].Attn().KVHeads == 1 && m.Blocks[0].MLP().Act == "gelu" && m.Blocks[0].MLP().Up.Weight.Shape[0] == 128
			}},
		"smollm3, every fourth": {"smollm3", map[string]string{"no_rope_layers": "", "layer_types": "", "max_window_layers": "28"},
			func(m *family.Model) bool {
				return m.Blocks[2].Attn().Rotary.Dim == 8 && m.Blocks[2].Attn().Window == 0 && m.Blocks[3].Attn().Rotary.Dim == 0 && m.Blocks[3].Attn().Window == 8
			}},
		"grape, official file names": {"grape-rope", map[string]string{"grape_variant": `"llama-mha-alibi"`},
			func(m *family.Model) bool { return m.Encoding() == "alibi" }},
		"grape, null scale": {"grape-m-ctx", map[string]string{"grape_ctx_omega_scale": "null", "grape_log_freq_scale": "4"},
			func(m *family.Model) bool { return m.Blocks[0].Attn().Phase.C == 4 }},
		"grape, frozen frequencies": {"grape-m-nonctx", map[string]string{"grape_learnable_freq": "false", "grape_log_freq_scale": "-3"},
			func(m *family.Model) bool { return len(m.Parameters) == 2 }},
	} {
		m, err := families.FromConfig(edited(t, golden+c.dir, c.edits))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.check(m) {
			t.Errorf("%s: read otherwise: %+v, warnings %q", name, m.Blocks[0], m.Warnings)
		}
	}
}

// A checkpoint whose names differ from today's by a prefix is read under the
// names it has.
func TestOlderNames(t *testing.T) {
	for name, c := range map[string]struct {
		dir, from, to string
		buffers       []string
	}{
		"neox, transformers 4": {"gpt-neox", "lm_head.", "embed_out.", []string{"gpt_neox.layers.0.attention.masked_bias"}},
		"bloom, bare":          {"bloom", "transformer.", "", nil},
		"falcon, bare":         {"falcon-alibi", "transformer.", "", nil},
	} {
		dir := rewritten(t, golden+c.dir, nil, func(infos map[string]safetensors.Info) {
			for key, info := range infos {
				if rest, ok := strings.CutPrefix(key, c.from); ok {
					delete(infos, key)
					infos[c.to+rest] = info
				}
			}
			for _, b := range c.buffers {
				infos[b] = safetensors.Info{Name: b, DType: tensor.F32, Shape: []int64{1}}
			}
		})
		m, err := load(t, dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range m.Weights() {
			if strings.HasPrefix(w.Tensor, c.from) {
				t.Errorf("%s: %s is not stored under that name", name, w.Tensor)
			}
		}
	}
}

// A parameter that is read when the model is loaded must be finite.
func TestBadParameter(t *testing.T) {
	for name, c := range map[string]struct {
		dir, tensor string
		value       byte // of every byte
		want        string
	}{
		"frequency":     {"grape-m-nonctx", "transformer.h.1.attn.grape.log_freq", 0xff, "element 0 is NaN: a weight must be finite"},
		"big frequency": {"grape-m-nonctx", "transformer.h.0.attn.grape.log_freq", 0x7e, "is no frequency"},
		"slope":         {"grape-a-keygated", "transformer.h.1.attn.keygated_bias.omega", 0xff, "element 0 is NaN"},
	} {
		dir := t.TempDir()
		for _, file := range []string{"config.json", "model.safetensors"} {
			data, err := os.ReadFile(filepath.Join(golden+c.dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if file == "model.safetensors" {
				f, err := safetensors.Open(filepath.Join(golden+c.dir, file))
				if err != nil {
					t.Fatal(err)
				}
				info, _ := f.Lookup(c.tensor)
				at := f.DataStart() + info.Begin
				f.Close()
				for i := range 4 {
					data[at+int64(i)] = c.value
				}
			}
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := load(t, dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.tensor) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q, the tensor and the folder in it", name, err, c.want)
		}
	}
}

// Features names every part beyond llama's, and Beyond what is not known.
func TestFeatures(t *testing.T) {
	for name, want := range map[string][]family.Feature{
		"llama-gqa":           nil,
		"phi3":                nil,
		"gpt-neox":            {family.ParallelBlocks, family.LayerNorms, family.UngatedMLP},
		"bloom":               {family.BiasALiBi, family.LayerNorms, family.UngatedMLP, family.EmbeddingNorm, family.UnrotatedLayers},
		"falcon-alibi":        {family.BiasALiBi, family.BiasRounded, family.LayerNorms, family.UngatedMLP, family.UnrotatedLayers},
		"smollm3":             {family.UnrotatedLayers},
		"grape-rope-subln":    {family.NormAfterRotation, family.OutputHeadNorm, family.SpectraPerLayer, family.ShiftedKV},
		"grape-m-ctx-heads":   {family.ContextualPhase, family.NormAfterRotation, family.SpectraPerHead, family.SpectraPerLayer, family.ShiftedKV},
		"grape-fox":           {family.BiasForget, family.UnrotatedLayers},
		"grape-a-keygated":    {family.BiasGated, family.UnrotatedLayers},
		"grape-ap-v1-kvshift": {family.BiasPath, family.ShiftedKV, family.UnrotatedLayers},
	} {
		dir := golden + name
		m, err := families.FromConfig(edited(t, dir, nil))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if got := m.Features(); !slices.Equal(got, want) {
			t.Errorf("%s: features %q, want %q", name, got, want)
		}
		if err := m.Beyond(want...); err != nil {
			t.Errorf("%s: all known, yet %v", name, err)
		}
		for i, f := range want {
			known := slices.Delete(slices.Clone(want), i, i+1)
			if err := m.Beyond(known...); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), string(f)) {
				t.Errorf("%s without %q: %v", name, f, err)
			}
		}
	}
	m, _ := open(t, "llama-gqa")
	m.Blocks[1].Attn().Bias = &family.Bias{Kind: 77}
	if err := m.Beyond(); err == nil || !strings.Contains(err.Error(), "unknown kind 77") {
		t.Errorf("a bias of an unknown kind: %v", err)
	}
}

// Every name in a model is its own: the table has one row per model_type, and a
// model's weights cover each stored tensor's rows exactly once.
func TestRowsCoverTensors(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range families.Table() {
		if seen[s.ModelType] || seen[s.Name] {
			t.Errorf("%s occurs twice", s.ModelType)
		}
		seen[s.ModelType], seen[s.Name] = true, true
	}
	for _, name := range []string{"gpt-neox", "bloom", "mpt", "falcon-multiquery", "falcon-grouped", "phi3"} {
		m, _ := open(t, name)
		rows := map[string]map[int64]int{}
		for _, w := range m.Weights() {
			if w.Rows == nil {
				continue
			}
			if rows[w.Tensor] == nil {
				rows[w.Tensor] = map[int64]int{}
			}
			for _, r := range w.Rows {
				for i := r.Begin; i < r.End; i++ {
					rows[w.Tensor][i]++
				}
			}
			if text, _ := json.Marshal(w.Rows); len(rows[w.Tensor]) > int(w.Stored[0]) {
				t.Errorf("%s: %s: rows %s of %d", name, w.Tensor, text, w.Stored[0])
			}
		}
		if len(rows) == 0 {
			t.Errorf("%s has no fused tensor", name)
		}
		for tensor, count := range rows {
			for i, n := range count {
				if n != 1 {
					t.Errorf("%s: row %d of %s is used %d times", name, i, tensor, n)
				}
			}
			if w := m.Weights(); !covers(w, tensor, len(count)) {
				t.Errorf("%s: %d rows of %s are used", name, len(count), tensor)
			}
		}
	}
}

func covers(list []family.Weight, tensor string, rows int) bool {
	for _, w := range list {
		if w.Tensor == tensor {
			return int(w.Stored[0]) == rows
		}
	}
	return false
}
