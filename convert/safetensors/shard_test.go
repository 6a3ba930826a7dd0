package safetensors

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

func TestPlanShards(t *testing.T) {
	infos := func(sizes ...int64) []Info {
		var out []Info
		for i, n := range sizes {
			out = append(out, Info{Name: fmt.Sprintf("t%d", i), DType: tensor.U8, Shape: []int64{n}})
		}
		return out
	}
	for _, c := range []struct {
		sizes []int64
		limit int64
		want  string // tensors of each file
	}{
		{[]int64{4, 4, 4}, 0, "t0 t1 t2"},
		{[]int64{4, 4, 4}, 12, "t0 t1 t2"},
		{[]int64{4, 4, 4}, 11, "t0 t1|t2"},
		{[]int64{4, 4, 4}, 4, "t0|t1|t2"},
		// As huggingface_hub: what is too large alone does not close the open file.
		{[]int64{3, 100, 3, 3}, 10, "t1|t0 t2 t3"},
		{[]int64{100}, 10, "t0"},
		{nil, 10, ""},
		{[]int64{0, 10, 0, 1}, 10, "t0 t1 t2|t3"},
	} {
		shards, err := PlanShards(infos(c.sizes...), c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for i, s := range shards {
			want := "model.safetensors"
			if len(shards) > 1 {
				want = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
			}
			if s.File != want {
				t.Errorf("%v: file %s, want %s", c, s.File, want)
			}
			var names []string
			var at int64
			for _, info := range s.Infos {
				if info.Begin != at {
					t.Errorf("%v: %s begins at %d, want %d", c, info.Name, info.Begin, at)
				}
				at = info.End
				names = append(names, info.Name)
			}
			if s.Bytes != at {
				t.Errorf("%v: %s has %d bytes, want %d", c, s.File, s.Bytes, at)
			}
			parts = append(parts, strings.Join(names, " "))
		}
		if got := strings.Join(parts, "|"); got != c.want {
			t.Errorf("%v in files of %d: %s, want %s", c.sizes, c.limit, got, c.want)
		}
	}
}

// The index has the bytes that Python's json.dumps(index, indent=2,
// sort_keys=True) + "\n" gives.
func TestWriteIndex(t *testing.T) {
	infos := []Info{{Name: "b.weight", DType: tensor.BF16, Shape: []int64{4}}, {Name: "a", DType: tensor.F32, Shape: []int64{}}, {Name: "c", DType: tensor.U8, Shape: []int64{5}}}
	shards, err := PlanShards(infos, 12)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors.index.json")
	if err := WriteIndex(path, shards); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	want := `{
  "metadata": {
    "total_size": 17
  },
  "weight_map": {
    "a": "model-00001-of-00002.safetensors",
    "b.weight": "model-00001-of-00002.safetensors",
    "c": "model-00002-of-00002.safetensors"
  }
}
`
	if err != nil || string(got) != want {
		t.Errorf("%v, got\n%s", err, got)
	}
	if err := WriteIndex(path, shards); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("over an existing file: %v", err)
	}
	if err := WriteIndex(path+"2", []Shard{shards[0], shards[0]}); err == nil || !strings.Contains(err.Error(), `tensor "b.weight": in both`) {
		t.Errorf("a tensor in two shards: %v", err)
	}
}

// What the writer makes of a planned checkpoint, OpenCheckpoint reads back.
func TestShardsRoundTrip(t *testing.T) {
	var infos []Info
	for i := range 23 {
		infos = append(infos, Info{Name: fmt.Sprintf("layer.%d", i), DType: tensor.I16, Shape: []int64{int64(i)}})
	}
	shards, err := PlanShards(infos, 100)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, s := range shards {
		w, err := Create(filepath.Join(dir, s.File), s.Infos, map[string]string{"format": "pt"})
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range s.Infos {
			if err := w.WriteTensor(info.Name, []byte(strings.Repeat("ab", int(info.Shape[0])))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteIndex(filepath.Join(dir, indexName), shards); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if len(c.Files()) != len(shards) || len(c.Names()) != 23 || c.Shards()[0].Metadata()["format"] != "pt" {
		t.Errorf("%d files, %d tensors, metadata %v", len(c.Files()), len(c.Names()), c.Shards()[0].Metadata())
	}
	v, err := c.Float64("layer.22")
	if err != nil || len(v) != 22 || v[21] != 0x6261 {
		t.Errorf("layer.22 = %v, %v", v, err)
	}
}
