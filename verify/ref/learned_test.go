package ref

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// learned puts a folder of testdata/learned together: its config.json, the
// weights that it shares with others, and the block's tensors beside them.
func learned(t testing.TB, name string) string {
	t.Helper()
	from, to := filepath.Join(testdata, "learned"), t.TempDir()
	raw, err := os.ReadFile(filepath.Join(from, name, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Pecvt struct {
			Source struct {
				ModelType string `json:"model_type"`
			}
		}
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	shards := map[string]string{"model-00001-of-00002.safetensors": filepath.Join(from, "base", config.Pecvt.Source.ModelType+".safetensors"),
		"model-00002-of-00002.safetensors": filepath.Join(from, name, "block.safetensors")}
	where := map[string]string{}
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for shard, path := range shards {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		put(shard, data)
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range f.Tensors() {
			where[info.Name] = shard
		}
		f.Close()
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{}, "weight_map": where})
	if err != nil {
		t.Fatal(err)
	}
	put("model.safetensors.index.json", index)
	put("config.json", raw)
	return to
}

// learnedLimit is of the largest logit: the goldens are float64 throughout, by
// stock transformers with its attention replaced, which takes every generator's
// powers by torch's matrix exponential.
const learnedLimit = 1e-12

// unread are the forms that no model is read with yet.
var unread = []string{"-basis", "-mixed", "-rank2", "-dense", "-kerple"}

// TestLearned holds the reference to testdata/learned: blocks of every form
// with parameters that training could have left.
func TestLearned(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(testdata, "learned/*/golden.safetensors"))
	if err != nil || len(names) < 20 {
		t.Fatalf("%d goldens: %v", len(names), err)
	}
	for _, path := range names {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, "learned/"+name+"/golden.safetensors")
			c, err := safetensors.OpenCheckpoint(learned(t, name))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			m, err := families.Load(c)
			for _, form := range unread {
				if strings.Contains(name, form) {
					if err == nil {
						t.Fatalf("it is read: strike %q from unread", form)
					}
					return
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := New(m, c).Forward(context.Background(), Input{IDs: g.ids}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r := relative(t, out.Logits, g.logits); r > learnedLimit {
				t.Errorf("logits differ by %.3g of the largest: limit %g", r, learnedLimit)
			} else {
				t.Logf("logits: %.2e of the largest", r)
			}
		})
	}
}
