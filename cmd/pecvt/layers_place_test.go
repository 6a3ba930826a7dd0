package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/shapes"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// TestLayersByURL: some layers of a model in a bucket or a hub are judged as those of the
// same folder on the disk, and little more than their numbers come; a second run takes
// them from the cache, and no verb takes what lies there for a model.
func TestLayersByURL(t *testing.T) {
	orttest.Require(t)
	library, _, err := ort.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	s := placetest.StartS3(t) // its program lies in the cache, which becomes another
	t.Setenv(ort.EnvLibrary, library)
	cache := t.TempDir()
	t.Setenv("PECVT_CACHE", cache)
	model, dir := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "hope")
	layered(t, model)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"convert", model, "--to", "hope", "--max-length", "64", "-o", dir, "-q"}, &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	var tensors, others int64
	for _, path := range must(filepath.Glob(filepath.Join(dir, "*"))) {
		size := must(os.Stat(path)).Size()
		if strings.HasSuffix(path, ".safetensors") {
			tensors += size
		} else {
			others += size
		}
	}
	s.PutFolder(t, "hope", dir)
	h := placetest.StartHub(t, "org/hope")
	h.Push("main", dir)

	judged := func(model string) (r verify.Report, checks string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"verify", model, "--layers", "0,4", "--opt-level", "all", "--json", "-q"}, &out, &errs); code != exitIncomplete {
			t.Fatalf("%s: exit code %d: %s%s", model, code, out.String(), errs.String())
		}
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Checks {
			checks += strings.Join([]string{c.Name, c.Runner, string(c.Verdict), c.Detail}, " ") + "\n"
		}
		return r, checks
	}
	_, want := judged(dir)
	for name, url := range map[string]string{"bucket": s.URL("hope"), "hub": "hf://org/hope"} {
		first, got := judged(url)
		if got != want {
			t.Errorf("%s: checks\n%s, on the disk\n%s", name, got, want)
		}
		if first.Read == nil || first.Read.Bytes < tensors/4 || first.Read.Bytes > others+tensors*6/10 {
			t.Fatalf("%s: read %+v of %d bytes of tensors and %d others", name, first.Read, tensors, others)
		}
		again, _ := judged(url)
		if again.Read.Bytes > tensors/10 {
			t.Errorf("%s: read %d bytes once more", name, again.Read.Bytes)
		}
	}
	for _, left := range must(filepath.Glob(filepath.Join(cache, "places", "*", "*.partly", "hope"))) {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"inspect", left}, &out, &errs); code != exitError || !strings.Contains(errs.String(), "not finished") {
			t.Errorf("inspect of a folder with holes: %d, %s%s", code, out.String(), errs.String())
		}
	}

	// Damage is found where a layer is run, and by reading that layer alone.
	index := must(os.ReadFile(filepath.Join(dir, "model.safetensors.index.json")))
	var shards struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &shards); err != nil {
		t.Fatal(err)
	}
	for tensor, found := range map[string]bool{"model.layers.4.mlp.down_proj.weight": true, "model.layers.2.mlp.down_proj.weight": false} {
		name := shards.WeightMap[tensor]
		data := must(os.ReadFile(filepath.Join(dir, name)))
		for i := range 400 {
			data[len(data)-1-i] = 0xff // a layer's last tensor is its file's
		}
		s.Put(t, "hope/"+name, data)
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"verify", s.URL("hope"), "--layers", "0,4", "--opt-level", "all", "-q"}, &out, &errs)
		if want := map[bool]int{true: exitMismatch, false: exitIncomplete}[found]; code != want {
			t.Errorf("%s: exit code %d, want %d: %s%s", tensor, code, want, out.String(), errs.String())
		}
		s.Put(t, "hope/"+name, must(os.ReadFile(filepath.Join(dir, name))))
	}
}

// layered writes a model of eight layers with drawn numbers, 16 MB, a file for each layer.
func layered(t *testing.T, dir string) {
	t.Helper()
	const hidden, inner, keys, vocab, layers = 256, 1024, 128, 512, 8
	s := &shapes.Shape{Name: "layered", Layers: layers, FileBytes: 2 * hidden * (2 + 2*hidden + 2*keys + 3*inner), Config: map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": "bfloat16", "hidden_size": hidden,
		"num_hidden_layers": layers, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": inner, "vocab_size": vocab,
		"tie_word_embeddings": true, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 512, "rope_theta": 10000.0}}
	add := func(name string, shape ...int64) {
		s.Tensors = append(s.Tensors, safetensors.Info{Name: "model." + name + ".weight", DType: tensor.BF16, Shape: shape})
	}
	filled := []int{-1}
	for i := range layers {
		at := fmt.Sprintf("layers.%d.", i)
		add(at+"input_layernorm", hidden)
		add(at+"post_attention_layernorm", hidden)
		for _, name := range []string{"q", "o"} {
			add(at+"self_attn."+name+"_proj", hidden, hidden)
		}
		for _, name := range []string{"k", "v"} {
			add(at+"self_attn."+name+"_proj", keys, hidden)
		}
		add(at+"mlp.gate_proj", inner, hidden)
		add(at+"mlp.up_proj", inner, hidden)
		add(at+"mlp.down_proj", hidden, inner)
		filled = append(filled, i)
	}
	add("embed_tokens", vocab, hidden)
	add("norm", hidden)
	if err := s.Write(dir, filled...); err != nil {
		t.Fatal(err)
	}
}
