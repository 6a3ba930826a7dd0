package familytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
)

// Learned puts a folder of testdata/learned together: its config.json, the
// weights that it shares with others, and the block's tensors beside them.
func Learned(t testing.TB, testdata, name string) string {
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
