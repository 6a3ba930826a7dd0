package torchfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

func openCheckpoint(t *testing.T, path string) *safetensors.Checkpoint {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// same compares two checkpoints' names, types, shapes and bits.
func same(t *testing.T, got, want *safetensors.Checkpoint) {
	t.Helper()
	if !slices.Equal(got.Names(), want.Names()) {
		t.Fatalf("tensors %v, want %v", got.Names(), want.Names())
	}
	for _, name := range want.Names() {
		g, _ := got.Lookup(name)
		w, _ := want.Lookup(name)
		if g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) {
			t.Errorf("%s is %s %v, want %s %v", name, g.DType, g.Shape, w.DType, w.Shape)
			continue
		}
		a, err1 := got.Bytes(name)
		b, err2 := want.Bytes(name)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: bytes differ (%v, %v)", name, err1, err2)
		}
	}
}

// Every type, strided views and both pickle protocols, against the safetensors
// file that torch's own writer made of the same tensors.
func TestImport(t *testing.T) {
	for _, c := range []struct{ from, want string }{
		{"kinds.pt", "kinds.safetensors"}, {"kinds-protocol4.pt", "kinds.safetensors"}, {"training.pt", "training.safetensors"},
	} {
		dir := t.TempDir()
		if _, err := Import(context.Background(), filepath.Join("testdata", c.from), dir, Options{}); err != nil {
			t.Fatal(err)
		}
		same(t, openCheckpoint(t, filepath.Join(dir, "model.safetensors")), openCheckpoint(t, filepath.Join("testdata", c.want)))
	}
}

func TestParameters(t *testing.T) {
	f, err := Open("testdata/parameter.pt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []string
	for _, i := range f.Tensors() {
		list = append(list, fmt.Sprintf("%s %s %v", i.Name, i.DType, i.Shape))
	}
	if want := []string{"w F32 [2]", "p F32 [3]"}; !slices.Equal(list, want) {
		t.Errorf("tensors %q, want %q", list, want)
	}
}

// An official GRAPE checkpoint as its save_pretrained leaves it (a .bin beside
// config.json) becomes a folder that loads as the golden does.
func TestImportedCheckpointLoads(t *testing.T) {
	const golden = "../../testdata/golden/grape-rope-subln"
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "made", "here")
	copyFile(t, "testdata/grape.bin", filepath.Join(from, "pytorch_model.bin"))
	copyFile(t, golden+"/config.json", filepath.Join(from, "config.json"))
	var last, total int64
	copyFile(t, golden+"/config.json", filepath.Join(from, "tokenizer.json"))
	copyFile(t, golden+"/config.json", filepath.Join(from, "other.json"))
	result, err := Import(context.Background(), from, to, Options{Beside: func(n string) bool { return n == "tokenizer.json" }, MaxShard: 40000, Progress: func(d, n int64) {
		if d <= last {
			t.Errorf("progress %d after %d", d, last)
		}
		last, total = d, n
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != total || total != result.Bytes || total == 0 || result.Tensors != 29 {
		t.Errorf("progress ends at %d of %d, the result is %+v", last, total, result)
	}
	if n := len(result.Files); !slices.Equal(result.Files[n-3:], []string{"model.safetensors.index.json", "config.json", "tokenizer.json"}) {
		t.Errorf("files %q", result.Files)
	}
	ckpt := openCheckpoint(t, to)
	if len(ckpt.Shards()) < 2 || ckpt.IndexPath() == "" {
		t.Errorf("%d files, index %q: want shards", len(ckpt.Shards()), ckpt.IndexPath())
	}
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	if m.Encoding() != "rope" || m.Blocks[0].Attn().HeadNorm == nil || len(m.Warnings) != 0 {
		t.Errorf("loaded as %s, warnings %q", m.Encoding(), m.Warnings)
	}
	want := openCheckpoint(t, golden+"/model.safetensors")
	for _, name := range want.Names() {
		a, err1 := ckpt.Bytes(name)
		b, err2 := want.Bytes(name)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: bytes differ (%v, %v)", name, err1, err2)
		}
	}
	head, _ := ckpt.Bytes("lm_head.weight")
	embed, _ := ckpt.Bytes("transformer.wte.weight")
	if !bytes.Equal(head, embed) {
		t.Error("the head and the embedding share a storage, and differ")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Shards of an index, and what is wrong with one.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, "testdata/kinds.pt", filepath.Join(dir, "pytorch_model-00001-of-00002.bin"))
	copyFile(t, "testdata/parameter.pt", filepath.Join(dir, "pytorch_model-00002-of-00002.bin"))
	index := filepath.Join(dir, "pytorch_model.bin.index.json")
	write := func(text string) {
		if err := os.WriteFile(index, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"weight_map":{"plain":"pytorch_model-00001-of-00002.bin","w":"pytorch_model-00002-of-00002.bin"}}`)
	out := t.TempDir()
	if _, err := Import(context.Background(), dir, out, Options{}); err != nil {
		t.Fatal(err)
	}
	if n := len(openCheckpoint(t, out).Names()); n != 22 {
		t.Errorf("%d tensors, want 22", n)
	}
	for text, want := range map[string]string{
		`{"weight_map":{"plain":"../kinds.pt"}}`: "outside its folder",
		`{"weight_map":{"plain":".."}}`:          "outside its folder",
		`{"weight_map":{}}`:                      "weight_map",
		`[`:                                      "weight_map",
		`{"weight_map":{"a":"nowhere.bin"}}`:     "nowhere.bin",
		`{"weight_map":{"a":"pytorch_model-00001-of-00002.bin","b":"copy.bin"}}`: `is also in`,
	} {
		copyFile(t, "testdata/kinds.pt", filepath.Join(dir, "copy.bin"))
		write(text)
		made := t.TempDir()
		_, err := Import(context.Background(), index, made, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
		empty(t, made)
	}
	if _, err := Import(context.Background(), t.TempDir(), out, Options{}); err == nil || !strings.Contains(err.Error(), "pytorch_model.bin") {
		t.Errorf("an empty folder: %v", err)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%d files are left behind (%v)", len(entries), err)
	}
}

// A pickle that would run a command is refused by the name of what it asks for,
// and nothing runs.
func TestMaliciousPickle(t *testing.T) {
	for file, want := range map[string]string{
		"malicious.pt": "asks for posix.system", "malicious-protocol4.pt": "asks for posix.system", "malicious-inst.pt": "opcode 0x53",
	} {
		dir := t.TempDir()
		_, err := Import(context.Background(), filepath.Join("testdata", file), dir, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want %q in it", file, err, want)
		}
		empty(t, dir)
	}
	if _, err := os.Stat("owned"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the command was run")
	}
	if _, err := Open("testdata/malicious.pt"); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("error %v, want one that wraps ErrUnsupported", err)
	}
}

// What torch can save and is not a state dictionary.
func TestRefusedFiles(t *testing.T) {
	for file, c := range map[string]struct {
		want        string
		unsupported bool
	}{
		"module.pt":                     {"asks for __main__.Net", true},
		"legacy.pt":                     {"torch's format before 1.6", true},
		"script.pt":                     {"TorchScript", true},
		"mixed.pt":                      {`key "step" of the state dictionary is no tensor`, false},
		"expanded.pt":                   {`tensor "w": shape [1000] over a storage of 1 elements`, true},
		"make_fixtures.py":              {"no zip archive", false},
		"kinds.safetensors":             {"no zip archive", false},
		"nowhere.pt":                    {"no such file", false},
		filepath.Join("..", "testdata"): {"not a file", false},
	} {
		f, err := Open(filepath.Join("testdata", file))
		if err == nil {
			f.Close()
			t.Errorf("%s was opened", file)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(file)) || !strings.HasPrefix(err.Error(), "torchfile: ") {
			t.Errorf("%s: error %q, want %q in it", file, err, c.want)
		}
		if errors.Is(err, posenc.ErrUnsupported) != c.unsupported {
			t.Errorf("%s: error %q: unsupported %v", file, err, !c.unsupported)
		}
	}
}

// A target that has the file keeps it; a cancelled import leaves nothing.
func TestTarget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(context.Background(), "testdata/kinds.pt", dir, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want one that the file exists", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Error("the file was replaced")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancelled := t.TempDir()
	_, err := Import(ctx, "testdata/grape.bin", cancelled, Options{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's end", err)
	}
	empty(t, cancelled)
}
