package convert_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
)

// A GGUF file of blocks becomes a folder whose tensors mean the same numbers, in the
// order of rows of the family; nothing is rounded anew.
func TestFolderFromGGUF(t *testing.T) {
	file := filepath.Join(t.TempDir(), "blocks.gguf")
	made(t, filepath.Join("..", "testdata", "golden", "llama-tied-bf16"), convert.Options{Output: file, GGUFType: "q8_0"})
	dir := filepath.Join(t.TempDir(), "folder")
	plan := made(t, file, convert.Options{Output: dir, Format: convert.Safetensors})
	if text := strings.Join(plan.Notes, "\n"); !strings.Contains(text, "as they are, none rounded anew") {
		t.Errorf("notes %q", text)
	}
	a, errA := store.Open(file)
	b, errB := store.Open(dir)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	defer a.Close()
	defer b.Close()
	blocks := 0
	for _, name := range a.Names() {
		info, _ := a.Lookup(name)
		other, ok := b.Lookup(name)
		if !ok {
			t.Fatalf("the folder has no %q", name)
		}
		w := family.Weight{Tensor: name, Shape: info.Shape}
		x, errX := w.Float32(a)
		y, errY := w.Float32(b)
		if errX != nil || errY != nil || len(x) == 0 || len(x) != len(y) {
			t.Fatalf("tensor %q: %d and %d numbers, %v, %v", name, len(x), len(y), errX, errY)
		}
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("tensor %q, %s and %s: element %d is %v and %v", name, info.DType, other.DType, i, x[i], y[i])
			}
		}
		if info.DType.IsBlock() {
			blocks++
			stored, err := store.Bytes(store.Stored(b), name+"_q8_0")
			if err != nil {
				t.Fatal(err)
			}
			if want, err := store.Bytes(a, name); err != nil || !bytes.Equal(stored, want) {
				t.Errorf("tensor %q: the folder's bytes are not the file's: %v", name, err)
			}
		}
	}
	if q := store.Quantised(b); blocks == 0 || q == nil || len(q.Tensors) != blocks {
		t.Errorf("%d tensors of blocks in the file, %v in the folder", blocks, q)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !bytes.Contains(text, []byte(`"quant_method": "gguf"`)) {
		t.Errorf("config.json: %s, %v", text, err)
	}
}

// made converts a model.
func made(t *testing.T, path string, o convert.Options) *convert.Plan {
	t.Helper()
	if o.To == "" {
		o.To = "rope"
	}
	p, err := convert.NewPlan(path, o)
	if err == nil {
		_, err = convert.Run(context.Background(), p, convert.RunOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}
