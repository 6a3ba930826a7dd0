package mutants

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// template is a bundled configuration and the keys of its sizes; an empty key is
// not there to change. One without sizes keeps the bundled ones.
type template struct {
	golden                                                       string
	hidden, inner, layers, heads, groups, size, positions, vocab string
	rope                                                         bool
	window                                                       bool
}

var templates = []template{
	hf("llama-gqa", "head_dim", false), hf("llama-gqa", "head_dim", false), hf("llama3-scaled", "head_dim", false), hf("mistral", "head_dim", true),
	hf("qwen2", "", false), hf("qwen3", "head_dim", false), hf("phi3", "", true), hf("starcoder2", "", true), hf("stablelm", "", false), hf("smollm3", "", true), hf("olmo2", "", false),
	{golden: "gpt-neox", hidden: "hidden_size", inner: "intermediate_size", layers: "num_hidden_layers", heads: "num_attention_heads", positions: "max_position_embeddings", vocab: "vocab_size", rope: true},
	{golden: "gpt-neox-serial", hidden: "hidden_size", inner: "intermediate_size", heads: "num_attention_heads", vocab: "vocab_size", rope: true},
	{golden: "bloom", hidden: "hidden_size", layers: "n_layer", heads: "n_head", vocab: "vocab_size"},
	{golden: "mpt", hidden: "d_model", layers: "n_layers", heads: "n_heads", vocab: "vocab_size"},
	{golden: "falcon-alibi"}, {golden: "falcon-grouped"}, {golden: "falcon-multiquery"},
	{golden: "grape-alibi"}, {golden: "grape-fox"}, {golden: "grape-fox-rope"}, {golden: "grape-a-keygated"}, {golden: "grape-a-querygated"}, {golden: "grape-a-querykeygated"},
	{golden: "grape-ap-v1"}, {golden: "grape-ap-v1-kvshift"}, {golden: "grape-ap-v1-pktie"}, {golden: "grape-m-nonctx"}, {golden: "grape-m-ctx"}, {golden: "grape-m-ctx-heads"}, {golden: "grape-rope-subln"},
}

func hf(golden, size string, window bool) template {
	return template{golden: golden, hidden: "hidden_size", inner: "intermediate_size", layers: "num_hidden_layers", heads: "num_attention_heads",
		groups: "num_key_value_heads", size: size, positions: "max_position_embeddings", vocab: "vocab_size", rope: true, window: window}
}

// randomModel writes a checkpoint of a random family and size, with weights as
// an untrained model's, or a model's with large scores, and says what it is.
func randomModel(t *testing.T, rng *rand.Rand, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tp := pick(rng, templates...)
	golden := filepath.Join(testdata, "golden", tp.golden)
	data, err := os.ReadFile(filepath.Join(golden, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := family.ParseObject(data)
	if err != nil {
		t.Fatal(err)
	}
	resize(t, rng, tp, o)
	text, err := o.Indented()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := families.FromConfig(&family.Config{Object: o, Path: path})
	if err != nil {
		t.Fatalf("%s: %v\n%s", tp.golden, err, text)
	}
	dtype := pick(rng, tensor.F32, tensor.F32, tensor.BF16, tensor.F16)
	loud := 1.0
	if rng.IntN(6) == 0 {
		loud = 3 + 3*rng.Float64() // scores grow by its square
	}
	writeWeights(t, rng, m, tp, golden, dir, dtype, loud)
	a := m.Blocks[0].Attn()
	return fmt.Sprintf("%s %s, %d layers, %d heads on %d of %d, hidden %d, vocabulary %d, tied %v, loud %.1f", tp.golden, dtype, len(m.Blocks), a.Heads, a.KVHeads, a.QKDim, m.Hidden, m.Vocab, m.Tied, loud)
}

// resize draws sizes and rope keys for a template.
func resize(t *testing.T, rng *rand.Rand, tp template, o *family.Object) {
	set := func(key string, v any) {
		if key != "" {
			o.Set(key, v)
		}
	}
	groups := pick(rng, 1, 2, 3)
	heads := groups * pick(rng, 1, 2, 4)
	size := pick(rng, 8, 16, 24)
	if tp.groups == "" {
		groups = heads
	}
	set(tp.heads, heads)
	set(tp.groups, groups)
	set(tp.size, size)
	hidden := heads * size
	if tp.size != "" && rng.IntN(2) == 0 {
		hidden = pick(rng, 32, 48, 64)
	}
	set(tp.hidden, hidden)
	set(tp.inner, pick(rng, 40, 64, 96))
	if layers := 1 + rng.IntN(3); !o.Has("layer_types") { // others list their layers
		set(tp.layers, layers)
	}
	set(tp.vocab, pick(rng, 40, 97, 200))
	set(tp.positions, pick(rng, 32, 64, 300))
	if tp.hidden != "" {
		set("tie_word_embeddings", rng.IntN(2) == 0 || tp.golden == "bloom" || tp.golden == "mpt")
		for _, key := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
			if o.Has(key) {
				set(key, 1)
			}
		}
	}
	if tp.window && o.Has("sliding_window") {
		set("sliding_window", pick(rng, 4, 8, 30))
	}
	if tp.rope && tp.golden != "llama3-scaled" {
		d, err := o.Object("rope_parameters")
		if err != nil || d == nil {
			t.Fatalf("%s: no rope_parameters: %v", tp.golden, err)
		}
		d = d.Clone()
		d.Set("rope_theta", pick(rng, 100.0, 300.0, 10000.0, 500000.0))
		if rng.IntN(6) == 0 && (tp.golden == "llama-gqa" || tp.golden == "qwen2" || tp.golden == "qwen3" || tp.golden == "mistral") {
			d.Set("rope_type", pick(rng, "linear", "yarn"))
			d.Set("factor", 2.0)
			d.Set("original_max_position_embeddings", 32)
		}
		o.Set("rope_parameters", d)
	}
}

// writeWeights writes every tensor that the configuration asks for.
func writeWeights(t *testing.T, rng *rand.Rand, m *family.Model, tp template, golden, dir string, dtype tensor.DType, loud float64) {
	t.Helper()
	var bundled *safetensors.Checkpoint
	if tp.hidden == "" {
		var err error
		if bundled, err = safetensors.OpenCheckpoint(filepath.Join(golden, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
		defer bundled.Close()
	}
	shapes := map[string][]int64{}
	for _, w := range m.Weights() {
		shapes[w.Tensor] = w.Stored
	}
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	var infos []safetensors.Info
	for _, name := range names {
		infos = append(infos, safetensors.Info{Name: name, DType: dtype, Shape: shapes[name]})
	}
	out, err := safetensors.Create(filepath.Join(dir, "model.safetensors"), infos, map[string]string{"format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		n, err := tensor.Elements(shapes[name])
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float64, n)
		if bundled != nil {
			if x, err = bundled.Float64(name); err != nil {
				t.Fatal(err)
			}
			for i := range x {
				x[i] *= 1 + 0.1*rng.NormFloat64()
			}
		} else {
			draw(rng, x, name, shapes[name], m)
		}
		if loud != 1 && asks(name) {
			for i := range x {
				x[i] *= loud
			}
		}
		raw := make([]byte, int(n)*dtype.Size())
		if err := tensor.Encode64(raw, x, dtype); err != nil {
			t.Fatal(err)
		}
		if err := out.WriteTensor(name, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// draw fills a tensor: norms near 1, biases small, matrices so that they keep a
// vector's length.
func draw(rng *rand.Rand, x []float64, name string, shape []int64, m *family.Model) {
	norm := len(shape) == 1 && strings.HasSuffix(name, "weight")
	scale := 0.1
	switch {
	case norm:
		scale = 0.2
	case name == m.Embed.Tensor:
		scale = 0.7
	case len(shape) == 2:
		scale = 1 / math.Sqrt(float64(shape[1]))
	}
	for i := range x {
		x[i] = scale * rng.NormFloat64()
		if norm {
			x[i]++
		}
	}
}

// asks tells whether a tensor makes queries or keys.
func asks(name string) bool {
	for _, part := range []string{"q_proj", "k_proj", "query_key_value", "qkv_proj", "Wqkv", "c_q.", "c_k."} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
