package store_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/verify/ref"
)

// ggufs are models of testdata as llama.cpp's own converter writes them.
func ggufs(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "gguf", "arch", "testdata", "*.gguf"))
	if err != nil || len(list) < 15 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	return list
}

func open(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// source is the checkpoint that a file was made of, each tensor rounded to the
// type that the file has it in.
func source(t *testing.T, path string, s store.Store) *storetest.Memory {
	t.Helper()
	m, err := storetest.Copy(golden(t, strings.TrimSuffix(filepath.Base(path), ".gguf")), func(name string, v *storetest.Tensor) error {
		v.Place = nil
		info, ok := s.Lookup(name)
		if !ok || info.DType == v.DType {
			return nil
		}
		return v.Encode(info.DType)
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(filepath.Base(path), "smollm3") {
		m.Beside = everyFourth(t, m.Beside)
	}
	return m
}

// everyFourth takes out of SmolLM3's configuration what no GGUF file can say, and
// llama.cpp does not compute: layers without rotation other than every fourth, and
// the window.
func everyFourth(t *testing.T, files fs.FS) fs.FS {
	t.Helper()
	text, err := fs.ReadFile(files, "config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"no_rope_layers", "layer_types", "use_sliding_window", "sliding_window"} {
		if _, ok := config[key]; !ok {
			t.Fatalf("config.json has no %s any more", key)
		}
		delete(config, key)
	}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"config.json": {Data: text}}
}

// A GGUF file of every architecture is the checkpoint that it was made of: names,
// shapes and numbers, rows in the family's order.
func TestGGUFTensors(t *testing.T) {
	for _, path := range ggufs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := open(t, path)
			want := source(t, path, s)
			if _, neox := want.Tensors["lm_head.weight"]; neox && strings.HasPrefix(filepath.Base(path), "gpt-neox") {
				want.Tensors["embed_out.weight"] = want.Tensors["lm_head.weight"] // transformers 4's name
				delete(want.Tensors, "lm_head.weight")
			}
			if _, ok := s.Lookup("lm_head.weight"); !ok { // the converter leaves a tied one out
				delete(want.Tensors, "lm_head.weight")
			}
			storetest.Run(t, func(t testing.TB) store.Store { return open(t, path) }, want.Tensors)
		})
	}
}

// Its configuration says the same model: the reference computes the same logits,
// but for what float32 leaves of the rotation's factors.
func TestGGUFModels(t *testing.T) {
	for _, path := range ggufs(t) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			s := open(t, path)
			got, want := logits(t, s), logits(t, source(t, path, s))
			if len(got) != len(want) {
				t.Fatalf("%d logits, want %d", len(got), len(want))
			}
			limit := 0.0
			if name == "llama3-scaled.gguf" {
				limit = 1e-6
			}
			for i := range want {
				if d := math.Abs(got[i] - want[i]); !(d <= limit) {
					t.Fatalf("logit %d is %v, want %v", i, got[i], want[i])
				}
			}
			if slices.Max(got) == slices.Min(got) {
				t.Error("all logits are alike")
			}
		})
	}
}

// The same holds at all positions of the trained length, where a factor's last bit
// of float32 turns a plane by up to 1e-5.
func TestGGUFFarPositions(t *testing.T) {
	for _, name := range []string{"llama3-scaled", "phi3", "stablelm"} {
		path := filepath.Join("..", "gguf", "arch", "testdata", name+".gguf")
		s := open(t, path)
		m := load(t, s)
		ids := make([]int64, m.TrainedLength)
		for i := range ids {
			ids[i] = int64(i*7%60 + 1)
		}
		var out [2][]float64
		for i, from := range []store.Store{s, source(t, path, s)} {
			r, err := ref.New(load(t, from), from).Forward(context.Background(), ref.Input{IDs: [][]int64{ids}}, ref.Options{})
			if err != nil {
				t.Fatal(err)
			}
			out[i] = r.Logits
		}
		for i := range out[0] {
			if math.Abs(out[0][i]-out[1][i]) > 1e-4 {
				t.Fatalf("%s: logit %d is %v, want %v", name, i, out[0][i], out[1][i])
			}
		}
	}
}
