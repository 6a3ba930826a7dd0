package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

// sharded writes two shards (a, b | c) and their index, and gives the folder and
// the index.
func sharded(t testing.TB) (dir, idx string) {
	dir = t.TempDir()
	file(t, dir, "model-00001-of-00002.safetensors", "a", "b")
	file(t, dir, "model-00002-of-00002.safetensors", "c")
	return dir, index(t, dir, indexName,
		"a", "model-00001-of-00002.safetensors", "b", "model-00001-of-00002.safetensors", "c", "model-00002-of-00002.safetensors")
}

func TestShardedCheckpoint(t *testing.T) {
	dir, idx := sharded(t)
	for _, path := range []string{dir, idx} {
		c, err := OpenCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := strings.Join(c.Names(), " "); got != "a b c" || c.Root() != dir || c.IndexPath() != idx || len(c.Files()) != 2 {
			t.Errorf("names %q, dir %s, index %s, %d files", got, c.Root(), c.IndexPath(), len(c.Files()))
		}
		info, ok := c.Lookup("c")
		place, _ := c.Place("c")
		if !ok || info.DType != tensor.F32 || filepath.Base(place.File) != "model-00002-of-00002.safetensors" {
			t.Errorf("c: %+v in %v", info, place)
		}
		f64, err := c.Float64("b")
		if err != nil || len(f64) != 2 || f64[0] != 1 || f64[1] != 1 {
			t.Errorf("b = %v, %v", f64, err)
		}
		f64[0] = 7 // a slice of its own: the map is read-only
		f32, err := c.Float32("b")
		if err != nil || f32[0] != 1 {
			t.Errorf("b = %v, %v", f32, err)
		}
		for _, read := range []func(string) error{
			func(n string) error { _, err := c.Float64(n); return err },
			func(n string) error { _, err := c.Float32(n); return err },
			func(n string) error { _, err := c.Bytes(n); return err },
		} {
			wantFormat(t, read("z"), idx, `tensor "z"`, "no such tensor")
		}
		c.Release("a")
		c.Release("z")
	}
}

func TestIndexNamesAMissingShard(t *testing.T) {
	dir, idx := sharded(t)
	if err := os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, idx, "shard model-00002-of-00002.safetensors is missing (2 shards are listed): download it")
}

func TestTwoShardsHoldTheSameTensor(t *testing.T) {
	dir, _ := sharded(t)
	os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors"))
	second := file(t, dir, "model-00002-of-00002.safetensors", "c", "b")
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, second, `tensor "b": also in model-00001-of-00002.safetensors`)
}

func TestShardTensorThatTheIndexDoesNotList(t *testing.T) {
	dir, _ := sharded(t)
	os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors"))
	second := file(t, dir, "model-00002-of-00002.safetensors", "c", "extra")
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, second, `tensor "extra": not listed in model.safetensors.index.json`)
}

func TestIndexTensorThatNoShardHolds(t *testing.T) {
	dir, _ := sharded(t)
	index(t, dir, indexName,
		"a", "model-00001-of-00002.safetensors", "b", "model-00001-of-00002.safetensors", "c", "model-00002-of-00002.safetensors",
		"ghost", "model-00002-of-00002.safetensors")
	c, err := OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Unheld("ghost"); got != "model-00002-of-00002.safetensors" || c.Unheld("a") != "" {
		t.Errorf("the index lists ghost in %q", got)
	}
	if _, ok := c.Lookup("ghost"); ok {
		t.Error("a tensor that no shard holds was found")
	}
}

func TestIndexNamesTheWrongShard(t *testing.T) {
	dir, _ := sharded(t)
	idx := index(t, dir, indexName,
		"a", "model-00001-of-00002.safetensors", "b", "model-00002-of-00002.safetensors", "c", "model-00002-of-00002.safetensors")
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, idx, `tensor "b": listed in model-00002-of-00002.safetensors, but it is in model-00001-of-00002.safetensors`)
}

func TestDamagedShard(t *testing.T) {
	dir, _ := sharded(t)
	second := filepath.Join(dir, "model-00002-of-00002.safetensors")
	if err := os.Truncate(second, 20); err != nil {
		t.Fatal(err)
	}
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, second, "truncated")
}

// badIndexes are the texts of indexes that must be refused. They seed the fuzz
// target too.
var badIndexes = []struct{ name, text, want string }{
	{"empty", ``, "not valid JSON"},
	{"not JSON", `{"weight_map": {`, "not valid JSON"},
	{"not UTF-8", "{\"weight_map\": {\"\xff\": \"a.safetensors\"}}", "not valid UTF-8"},
	{"array", `[]`, "an array where an object is needed"},
	{"no weight_map", `{"metadata": {}}`, "the key weight_map is missing"},
	{"other case", `{"Weight_Map": {"a": "m.safetensors"}}`, "the key weight_map is missing"},
	{"empty weight_map", `{"weight_map": {}}`, "weight_map is empty"},
	{"weight_map is a string", `{"weight_map": "m.safetensors"}`, `weight_map: the string "m.safetensors" where an object is needed`},
	{"weight_map twice", `{"weight_map": {"a": "m.safetensors"}, "weight_map": {"b": "m.safetensors"}}`, `key "weight_map" occurs twice`},
	{"tensor twice", `{"weight_map": {"a": "m.safetensors", "a": "n.safetensors"}}`, `key "a" occurs twice`},
	{"shard is a number", `{"weight_map": {"a": 1}}`, `tensor "a": the number 1 where a string is needed`},
	{"shard is null", `{"weight_map": {"a": null}}`, `tensor "a": null where a string is needed`},
	{"parent folder", `{"weight_map": {"a": "../m.safetensors"}}`, `tensor "a": shard "../m.safetensors": a shard is a plain file name`},
	{"absolute", `{"weight_map": {"a": "/etc/m.safetensors"}}`, "plain file name"},
	{"backslash", `{"weight_map": {"a": "..\\m.safetensors"}}`, "plain file name"},
	{"drive", `{"weight_map": {"a": "C:m.safetensors"}}`, "plain file name"},
	{"zero byte", `{"weight_map": {"a": "m\u0000.safetensors"}}`, "plain file name"},
	{"line break", `{"weight_map": {"a": "m\n.safetensors"}}`, "plain file name"},
	{"subfolder", `{"weight_map": {"a": "x/m.safetensors"}}`, "plain file name"},
	{"only dots", `{"weight_map": {"a": ".."}}`, "ends in .safetensors"},
	{"no name", `{"weight_map": {"a": ""}}`, "ends in .safetensors"},
	{"another format", `{"weight_map": {"a": "pytorch_model.bin"}}`, `shard "pytorch_model.bin": the name of a shard ends in .safetensors`},
	{"deep JSON", `{"metadata":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "exceeded max depth"},
	{"long name", `{"weight_map": {"a": "` + strings.Repeat("x", 10_000) + `"}}`, `xxx...": the name`},
}

func TestBadIndexes(t *testing.T) {
	for _, c := range badIndexes {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, t.TempDir(), indexName, []byte(c.text))
			_, err := OpenCheckpoint(path)
			wantFormat(t, err, path, c.want)
		})
	}
}

// Keys that other programs add to an index are of no concern.
func TestIndexWithFurtherKeys(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "m.safetensors", "a")
	put(t, dir, indexName, []byte(`{"version": [1, {"x": null}], "metadata": {"total_size": 3.5e9, "by": {}}, "weight_map": {"a": "m.safetensors"}}`))
	c, err := OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string // without ":" one tensor named after the file; with it an index
		want  string   // the file found, or what the error says
		fails bool
	}{
		{"single", []string{"model.safetensors"}, "model.safetensors", false},
		{"single among others", []string{"golden.safetensors", "model.safetensors"}, "model.safetensors", false},
		{"only file", []string{"tiny.safetensors"}, "tiny.safetensors", false},
		{"index", []string{"consolidated.safetensors", "m1.safetensors", "model.safetensors.index.json:m1.safetensors"}, "model.safetensors.index.json", false},
		{"only other index", []string{"m1.safetensors", "m2.safetensors", "x.safetensors.index.json:m1.safetensors"}, "x.safetensors.index.json", false},
		{"index of the single file", []string{"model.safetensors", "model.safetensors.index.json:model.safetensors"}, "model.safetensors.index.json", false},
		{"index beside an unlisted single file", []string{"m1.safetensors", "model.safetensors", "model.safetensors.index.json:m1.safetensors"},
			"several candidates (model.safetensors, model.safetensors.index.json): name the file to use", true},
		{"several", []string{"a.safetensors", "b.safetensors"}, "several candidates (a.safetensors, b.safetensors): name the file to use", true},
		{"two indexes", []string{"a.safetensors", "x.safetensors.index.json:a.safetensors", "y.safetensors.index.json:a.safetensors"},
			"several candidates (x.safetensors.index.json, y.safetensors.index.json)", true},
		{"nothing", nil, "the folder holds no .safetensors file and no *.safetensors.index.json", true},
		{"no weights", []string{"config.json"}, "holds no .safetensors file", true},
		{"one shard without an index", []string{"model-00001-of-00002.safetensors"}, "by its name this is one of 2 shards, but no index beside it lists it: download the *.safetensors.index.json", true},
		{"shards without an index", []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}, "the folder holds 2 shards but no index", true},
		{"one shard of ten", []string{"model-00001-of-00010.safetensors"}, "one of 10 shards", true},
		{"one shard of one", []string{"model-00001-of-00001.safetensors"}, "model-00001-of-00001.safetensors", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				if name, shard, isIndex := strings.Cut(f, ":"); isIndex {
					index(t, dir, name, shard, shard)
				} else if strings.HasSuffix(f, ".json") {
					put(t, dir, f, []byte("{}"))
				} else {
					file(t, dir, f, f)
				}
			}
			ckpt, err := OpenCheckpoint(dir)
			if c.fails {
				wantFormat(t, err, dir, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ckpt.Close()
			got := ckpt.IndexPath()
			if got == "" {
				got = ckpt.Shards()[0].Path
			}
			if filepath.Base(got) != c.want {
				t.Errorf("found %s, want %s", got, c.want)
			}
		})
	}
}

func TestManyCandidatesAreNotAllListed(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		file(t, dir, fmt.Sprintf("m%02d.safetensors", i), "a")
	}
	_, err := OpenCheckpoint(dir)
	wantFormat(t, err, "m07.safetensors and 12 more")
}

func TestOneShardIsNotACheckpoint(t *testing.T) {
	dir, _ := sharded(t)
	path := filepath.Join(dir, "model-00001-of-00002.safetensors")
	_, err := OpenCheckpoint(path)
	wantFormat(t, err, path, "this is one of the shards of model.safetensors.index.json: name the index or the folder instead")
	t.Chdir(dir)
	_, err = OpenCheckpoint("model-00001-of-00002.safetensors")
	wantFormat(t, err, "this is one of the shards of")
}

func TestPathsThatAreNoCheckpoint(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCheckpoint(put(t, dir, "model.gguf", []byte("GGUF")))
	wantFormat(t, err, "model.gguf", "expected a folder, a .safetensors file or a *.safetensors.index.json")
	if err := os.Mkdir(filepath.Join(dir, "x.safetensors"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(filepath.Join(dir, "x.safetensors")); err == nil {
		t.Error("a folder opened as a file")
	}
	wantFormat(t, err, "not a regular file")
	for _, open := range []func(string) error{
		func(p string) error { _, err := Open(p); return err },
		func(p string) error { _, err := OpenCheckpoint(p); return err },
	} {
		err := open(filepath.Join(dir, "missing.safetensors"))
		if err == nil || !strings.Contains(err.Error(), "missing.safetensors") || !strings.HasPrefix(err.Error(), "safetensors: ") || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing file: %v", err)
		}
	}
}
