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

func load(t *testing.T, dir string) (*family.Model, error) {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return families.Load(c)
}

// Every stored tensor belongs to the model and every weight is stored, or the
// error names the tensor.
func TestClaims(t *testing.T) {
	type infos = map[string]safetensors.Info
	const q = "model.layers.1.self_attn.q_proj.weight"
	keep := func(infos) {}
	add := func(name string, d tensor.DType, shape ...int64) func(infos) {
		return func(i infos) { i[name] = safetensors.Info{Name: name, DType: d, Shape: shape} }
	}
	for name, c := range map[string]struct {
		edits       map[string]string
		tensors     func(infos)
		want        []string // nil: it loads
		unsupported bool
	}{
		"sound":            {nil, keep, nil, false},
		"missing":          {nil, func(i infos) { delete(i, q) }, []string{`tensor "` + q + `" is missing`, "[64 64]"}, false},
		"extra":            {nil, add("model.layers.0.self_attn.q_norm.weight", tensor.F32, 16), []string{"1 tensors that family llama does not know: model.layers.0.self_attn.q_norm.weight"}, true},
		"extra layer":      {map[string]string{"num_hidden_layers": "1"}, keep, []string{"9 tensors", "model.layers.1.", ", …"}, true},
		"missing layer":    {map[string]string{"num_hidden_layers": "3"}, keep, []string{`tensor "model.layers.2.input_layernorm.weight" is missing`}, false},
		"vocabulary":       {map[string]string{"vocab_size": "129"}, keep, []string{"model.safetensors", `tensor "model.embed_tokens.weight" has shape [128 64]: config.json asks for [129 64]`}, false},
		"heads":            {map[string]string{"num_key_value_heads": "4"}, keep, []string{"k_proj.weight", "has shape [32 64]: config.json asks for [64 64]"}, false},
		"rank":             {nil, add("model.norm.weight", tensor.F32, 64, 1), []string{`"model.norm.weight" has shape [64 1]: config.json asks for [64]`}, false},
		"integers":         {nil, add(q, tensor.I8, 64, 64), []string{`"` + q + `" has dtype I8`, "quantised"}, true},
		"untied, no head":  {nil, func(i infos) { delete(i, "lm_head.weight") }, []string{`tensor "lm_head.weight" is missing`}, false},
		"tied, no head":    {map[string]string{"tie_word_embeddings": "true"}, func(i infos) { delete(i, "lm_head.weight") }, nil, false},
		"old rotary table": {nil, add("model.layers.0.self_attn.rotary_emb.inv_freq", tensor.F32, 8), nil, false},
		"biases":           {map[string]string{"attention_bias": "true"}, keep, []string{`tensor "model.layers.0.self_attn.q_proj.bias" is missing`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, rewritten(t, gqa, c.edits, c.tensors))
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
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

// A head that is stored although it is tied is left out where it is the
// embedding, and refused where it differs: loaders disagree on it.
func TestTiedHeadStored(t *testing.T) {
	text, err := json.Marshal(edited(t, gqa, map[string]string{"tie_word_embeddings": "true"}).Object)
	if err != nil {
		t.Fatal(err)
	}
	for _, equal := range []bool{true, false} {
		dir := t.TempDir()
		data, err := os.ReadFile(filepath.Join(gqa, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "model.safetensors")
		if equal {
			f, err := safetensors.Open(filepath.Join(gqa, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			head, _ := f.Lookup("lm_head.weight")
			embed, _ := f.Lookup("model.embed_tokens.weight")
			at := f.DataStart()
			copy(data[at+head.Begin:at+head.End], data[at+embed.Begin:at+embed.End])
			f.Close()
		}
		for file, content := range map[string][]byte{filepath.Join(dir, "config.json"): text, path: data} {
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m, err := load(t, dir)
		if !equal {
			if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), `tensor "lm_head.weight" is stored and differs from "model.embed_tokens.weight"`) || !strings.Contains(err.Error(), "set tie_word_embeddings to false") {
				t.Errorf("error %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Head.Weight.Tensor != "model.embed_tokens.weight" || !slices.Contains(m.Ignored, "lm_head.weight") || len(m.Warnings) != 0 {
			t.Errorf("the head is %s, ignored %v, warnings %q", m.Head.Weight.Tensor, m.Ignored, m.Warnings)
		}
	}
}

// Weight.Float64 of a part is those rows of the stored tensor.
func TestWeightRows(t *testing.T) {
	c, err := safetensors.OpenCheckpoint("../../testdata/golden/phi3")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := families.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	w := m.Blocks[0].Attn().K.Weight
	all, err := c.Float64(w.Tensor)
	if err != nil {
		t.Fatal(err)
	}
	part, err := w.Float64(c)
	if err != nil || !slices.Equal(part, all[64*64:96*64]) {
		t.Errorf("k is not rows 64 to 96 of %s: %v", w.Tensor, err)
	}
	w.Rows = []family.Range{{Begin: 3, End: 4}, {Begin: 0, End: 2}}
	part, err = w.Float64(c)
	if want := append(slices.Clone(all[3*64:4*64]), all[:2*64]...); err != nil || !slices.Equal(part, want) {
		t.Errorf("rows 3, 0, 1 are wrong: %v", err)
	}
	w.Rows = []family.Range{{Begin: 0, End: 1000}}
	if _, err := w.Float64(c); err == nil {
		t.Error("rows past the end were read")
	}
}

func FuzzConfig(f *testing.F) {
	for _, dir := range []string{"llama-gqa", "llama3-scaled", "mistral", "qwen2", "qwen3", "phi3", "bloom", "mpt", "falcon-alibi", "gpt-neox", "smollm3",
		"grape-m-ctx-heads", "grape-ap-v1", "grape-a-querykeygated", "grape-fox-rope"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/golden", dir, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"model_type":"llama","a":[1,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := family.ParseObject(data)
		if err != nil {
			return
		}
		again, err := o.Indented()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := family.ParseObject(again); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		m, err := families.FromConfig(&family.Config{Object: o, Path: "config.json"})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "config.json: ") {
				t.Fatalf("the error names no file: %v", err)
			}
			return
		}
		for i, b := range m.Blocks {
			if err := b.Attn().Rotary.Check(); err != nil {
				t.Fatalf("layer %d: %v", i, err)
			}
			if b.Attn().QKDim <= 0 || b.Attn().KVHeads <= 0 || b.Attn().Heads%b.Attn().KVHeads != 0 {
				t.Fatalf("layer %d: %d heads, %d key/value heads, head size %d", i, b.Attn().Heads, b.Attn().KVHeads, b.Attn().QKDim)
			}
		}
	})
}

// rewritten is golden llama-gqa in a fresh folder with its configuration and its
// list of tensors edited.
func rewritten(t *testing.T, from string, edits map[string]string, tensors func(map[string]safetensors.Info)) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(edited(t, from, edits).Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := safetensors.Open(filepath.Join(from, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	infos := map[string]safetensors.Info{}
	for _, i := range src.Tensors() {
		infos[i.Name] = i
	}
	tensors(infos)
	writeZeros(t, filepath.Join(dir, "model.safetensors"), infos)
	return dir
}

// writeZeros writes a checkpoint of the given tensors, all zero.
func writeZeros(t *testing.T, path string, infos map[string]safetensors.Info) {
	t.Helper()
	header, offset := map[string]any{}, int64(0)
	for name, i := range infos {
		n := int64(i.DType.Size())
		for _, s := range i.Shape {
			n *= s
		}
		header[name] = map[string]any{"dtype": i.DType.String(), "shape": i.Shape, "data_offsets": []int64{offset, offset + n}}
		offset += n
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	var size [8]byte
	for i := range size {
		size[i] = byte(len(text) >> (8 * i))
	}
	data := append(append(size[:], text...), make([]byte, offset)...)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
