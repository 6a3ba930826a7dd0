package families_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/posenc"
)

// Each row has a checkpoint of its own, read as what the row says.
func TestWrappers(t *testing.T) {
	for _, w := range families.Wrappers() {
		m := loaded(t, w.ModelType, nil)
		if m.Wrapper == nil || m.Wrapper.Architecture != w.Architecture || len(m.Wrapper.Beside) < 2 {
			t.Errorf("%s: %+v: want the whole model, with parts beside", w.ModelType, m.Wrapper)
		}
		if classes, _ := m.File().Texts("architectures"); len(classes) != 1 || classes[0] != w.Architecture {
			t.Errorf("%s is of class %v: want %s", w.ModelType, classes, w.Architecture)
		}
	}
}

// loaded reads a golden with its tensors under other names.
func loaded(t *testing.T, name string, rename *strings.Replacer) *family.Model {
	t.Helper()
	s, err := store.Open("../../testdata/families/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var from store.Store = s
	if rename != nil {
		copied, err := storetest.Copy(s, func(_ string, v *storetest.Tensor) error {
			v.Place = nil
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tensors := map[string]storetest.Tensor{}
		for name, v := range copied.Tensors {
			tensors[strings.TrimPrefix(rename.Replace("^"+name), "^")] = v
		}
		if from, err = storetest.New(s.Root(), s.FS(), tensors); err != nil {
			t.Fatal(err)
		}
	}
	m, err := families.Load(from)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

// Tensors are found under the names of transformers 4.52 and later, and under those of
// files.
func TestWrapperNames(t *testing.T) {
	for name, rename := range map[string]*strings.Replacer{
		"gemma3":   strings.NewReplacer("^language_model.model.", "^model.language_model.", "^vision_tower.", "^model.vision_tower.", "^multi_modal", "^model.multi_modal"),
		"llava":    strings.NewReplacer("^language_model.model.", "^model.language_model.", "^language_model.lm_head.", "^lm_head.", "^vision_tower.", "^model.vision_tower.", "^multi_modal", "^model.multi_modal"),
		"aria":     strings.NewReplacer("^language_model.model.", "^model.language_model.", "^language_model.lm_head.", "^lm_head.", "^vision_tower.", "^model.vision_tower.", "^multi_modal", "^model.multi_modal"),
		"llama4":   strings.NewReplacer("^language_model.model.", "^model.language_model.", "^language_model.lm_head.", "^lm_head.", "^vision_model.", "^model.vision_model.", "^multi_modal", "^model.multi_modal"),
		"voxtral":  strings.NewReplacer("^language_model.model.", "^model.language_model.", "^language_model.lm_head.", "^lm_head.", "^audio_tower.", "^model.audio_tower.", "^multi_modal", "^model.multi_modal"),
		"qwen2_vl": strings.NewReplacer("^model.", "^model.language_model.", "^visual.", "^model.visual."),
	} {
		want, got := loaded(t, name, nil), loaded(t, name, rename)
		if len(want.Wrapper.Beside) != len(got.Wrapper.Beside) || len(want.Weights()) != len(got.Weights()) {
			t.Errorf("%s: %d tensors of other parts, %d of the model's: want %d and %d", name, len(got.Wrapper.Beside), len(got.Weights()), len(want.Wrapper.Beside), len(want.Weights()))
		}
		if strings.HasPrefix(got.Embed.Tensor, want.Embed.Tensor[:8]) && name != "qwen2_vl" || !strings.HasPrefix(got.Embed.Tensor, "model.language_model.") {
			t.Errorf("%s: the embedding is %s", name, got.Embed.Tensor)
		}
	}
}

// Qwen's published files hold the language model's keys at the top, and a rope type of
// their own.
func TestWrapperFlat(t *testing.T) {
	for _, name := range []string{"qwen2_vl", "qwen2_5_vl"} {
		c, err := family.LoadConfig("../../testdata/families/" + name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := families.FromConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.Object.Object("text_config")
		if err != nil {
			t.Fatal(err)
		}
		c.Delete("text_config")
		for _, key := range text.Keys() {
			if key != "model_type" && key != "rope_parameters" && key != "layer_types" {
				c.Set(key, text.Raw(key))
			}
		}
		c.Set("rope_theta", 500.0)
		c.Set("rope_scaling", json.RawMessage(`{"type": "mrope", "mrope_section": [4, 2, 2]}`))
		got, err := families.FromConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Blocks, want.Blocks) || got.Rope.Theta != 500 || got.Rope.Type != "default" {
			t.Errorf("%s: another model than the golden's: %+v", name, got.Rope)
		}
		edited := got.Config.Object.Clone()
		edited.Set("max_position_embeddings", 99)
		whole := got.Whole(edited)
		for _, key := range c.Keys() {
			if key != "max_position_embeddings" && string(whole.Raw(key)) != string(c.Raw(key)) {
				t.Errorf("%s: %s is %s in the whole: want %s", name, key, whole.Raw(key), c.Raw(key))
			}
		}
		if string(whole.Raw("max_position_embeddings")) != "99" || len(whole.Keys()) != len(c.Keys()) {
			t.Errorf("%s: the edit is lost, or keys came beside: %v", name, whole.Keys())
		}
	}
}

// Published files leave out of text_config what is as in its class.
func TestWrapperDefaults(t *testing.T) {
	c := object(t, `{"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}}`)
	m, err := families.FromConfig(&family.Config{Object: c, Path: "config.json"})
	if err != nil {
		t.Fatal(err)
	}
	if a := m.FirstAttn(); m.Vocab != 262208 || a.Heads != 8 || a.KVHeads != 4 || a.QKDim != 256 || a.Window != 1024 || !m.Tied {
		t.Errorf("vocabulary %d, %d heads, %d key/value heads of %d, window %d", m.Vocab, a.Heads, a.KVHeads, a.QKDim, a.Window)
	}
	edited := m.Config.Object.Clone()
	edited.Set("rope_theta", 5)
	text, err := m.Whole(edited).Object("text_config")
	if err != nil || len(text.Keys()) != 7 || text.Has("vocab_size") {
		t.Errorf("text_config has keys %v, %v: want those of the file and the new one", text.Keys(), err)
	}
}

func TestWrapperRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type": "llava", "text_config": {"model_type": "bloom"}}`: "valid: llama, mistral",
		`{"model_type": "llava"}`: "text_config",
		`{"model_type": "qwen9_vl", "text_config": {"model_type": "x"}}`: "is a wrapper",
	} {
		_, err := families.FromConfig(&family.Config{Object: object(t, text), Path: "config.json"})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want a refusal with %q", text, err, want)
		}
	}
}

// Whose tie_word_embeddings ties the head where none is stored, and what becomes of one
// that is: as transformers 5.24 loads these models, of which it leaves a head without
// numbers where it ties none.
func TestWrapperTies(t *testing.T) {
	const tied, apart, missing = "tied", "apart", "missing"
	for _, c := range []struct {
		model       string
		whole, text string // values of the keys, "" for none
		stored      bool
		want        string
	}{
		{"qwen3_vl", "true", "false", false, tied}, {"qwen3_vl", "false", "true", false, missing}, {"qwen3_vl", "", "true", false, missing},
		{"glm4v", "true", "false", false, tied}, {"glm4v", "false", "true", false, tied}, {"glm4v", "", "true", false, tied}, {"glm4v", "", "", false, missing},
		{"llava", "false", "true", false, tied}, {"llava", "false", "true", true, apart}, {"llava", "false", "false", false, missing},
		{"llama4", "true", "false", false, missing}, {"llama4", "false", "true", false, tied}, {"llama4", "", "", false, missing},
		{"voxtral", "true", "true", false, missing}, {"voxtral", "", "true", true, apart}, {"qwen2_audio", "", "true", false, missing},
		{"lfm2_vl", "", "false", false, tied}, {"lfm2_vl", "false", "true", false, missing},
	} {
		config, err := family.LoadConfig("../../testdata/families/" + c.model)
		if err != nil {
			t.Fatal(err)
		}
		text, err := config.Object.Object("text_config")
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []struct {
			in    *family.Object
			value string
		}{{config.Object, c.whole}, {text, c.text}} {
			if said.in.Delete("tie_word_embeddings"); said.value != "" {
				said.in.Set("tie_word_embeddings", json.RawMessage(said.value))
			}
		}
		config.Object.Set("text_config", text)
		raw, err := config.Object.Indented()
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open("../../testdata/families/" + c.model)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		copied, err := storetest.Copy(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name := range copied.Tensors {
			if strings.HasSuffix(name, "lm_head.weight") && !c.stored {
				delete(copied.Tensors, name)
			}
		}
		from, err := storetest.New("", fstest.MapFS{"config.json": {Data: raw}}, copied.Tensors)
		if err != nil {
			t.Fatal(err)
		}
		got := missing
		if m, err := families.Load(from); err == nil {
			if got = apart; m.Tied {
				got = tied
			}
		} else if !strings.Contains(err.Error(), "lm_head.weight") {
			t.Errorf("%+v: %v", c, err)
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// Experts that lie in one tensor are read either way round: published files have
// (experts, in, out), those of transformers 5 (experts, out, in).
func TestStackedExpertsEitherWay(t *testing.T) {
	s, err := store.Open("../../testdata/families/qwen3_vl_moe")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	turned, err := storetest.Copy(s, func(name string, v *storetest.Tensor) error {
		v.Place = nil
		if strings.Contains(name, ".experts.") {
			v.Data, v.Shape = transposed(v.Data, v.Shape), []int64{v.Shape[0], v.Shape[2], v.Shape[1]}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	published, err := families.Load(turned)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := families.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range newer.Blocks {
		a, b := newer.Blocks[i].Mixture(), published.Blocks[i].Mixture()
		for n := range a.Each {
			for _, w := range [][2]family.Weight{{a.Each[n].Gate.Weight, b.Each[n].Gate.Weight}, {a.Each[n].Up.Weight, b.Each[n].Up.Weight}, {a.Each[n].Down.Weight, b.Each[n].Down.Weight}} {
				x, err := w[0].Float32(s)
				if err != nil {
					t.Fatal(err)
				}
				y, err := w[1].Float32(turned)
				if err != nil || !reflect.DeepEqual(x, y) || reflect.DeepEqual(w[0].Stored, w[1].Stored) {
					t.Errorf("layer %d, expert %d, %s: other numbers, or the same shape %v: %v", i, n, w[0].Tensor, w[0].Stored, err)
				}
			}
		}
	}
}

// transposed turns each matrix of a stack of float32.
func transposed(data []byte, shape []int64) []byte {
	out := make([]byte, 0, len(data))
	for n := range shape[0] {
		for j := range shape[2] {
			for i := range shape[1] {
				at := 4 * ((n*shape[1]+i)*shape[2] + j)
				out = append(out, data[at:at+4]...)
			}
		}
	}
	return out
}
