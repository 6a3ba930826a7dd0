package unpack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/unpack"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

const testdata = "../arch/testdata"

func open(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func values(t testing.TB, s store.Store, name string) []float64 {
	t.Helper()
	info, ok := s.Lookup(name)
	if !ok {
		t.Fatalf("%s: no such tensor", name)
	}
	raw, err := store.Bytes(s, name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := tensor.Elements(info.Shape)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]float64, n)
	if err := tensor.Decode64(list, raw, info.DType); err != nil {
		t.Fatal(err)
	}
	return list
}

// The folder holds the numbers that the file does, and is a model.
func TestImport(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata, "*.gguf"))
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		dir := filepath.Join(t.TempDir(), "made")
		var last int64
		r, err := unpack.Import(context.Background(), path, dir, unpack.Options{MaxShard: 50_000, Progress: func(done, total int64) {
			if done < last || done > total {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		}})
		if err != nil {
			t.Fatal(err)
		}
		from, to := open(t, path), open(t, dir)
		if !slices.Equal(from.Names(), to.Names()) || r.Tensors != len(from.Names()) || last != r.Bytes || len(to.Files()) < 2 {
			t.Errorf("%s: %d tensors in %d files, %d bytes of %d", path, len(to.Names()), len(to.Files()), last, r.Bytes)
		}
		for _, name := range from.Names() {
			if !slices.Equal(values(t, from, name), values(t, to, name)) {
				t.Errorf("%s: %s has other numbers", path, name)
			}
		}
		m, err := families.Load(to)
		if err != nil {
			t.Fatal(err)
		}
		if declared := text(t, dir, "torch_dtype"); declared != map[tensor.DType]string{tensor.F32: "float32", tensor.F16: "float16"}[m.DType] {
			t.Errorf("%s: torch_dtype %s of a model in %s", path, declared, m.DType)
		}
	}
}

func text(t testing.TB, dir, key string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	s, _ := fields[key].(string)
	return s
}

// quantised is a model with a matrix in blocks of Q4_0, all of one scale.
func quantised(t testing.TB, scale uint16) (path string, blocks []byte) {
	t.Helper()
	f, err := gguf.Open(filepath.Join(testdata, "llama-tied-bf16.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := &gguf.Header{Version: 3, KVs: slices.Clone(f.Header.KVs), Tensors: slices.Clone(f.Header.Tensors)}
	const name = "blk.0.ffn_down.weight"
	q4, _ := gguf.TypeOf(tensor.Q4_0)
	data := map[string][]byte{}
	for i, x := range h.Tensors {
		_, n, _ := f.Place(x.Name)
		raw, err := f.Read(x.Name, 0, n)
		if err != nil {
			t.Fatal(err)
		}
		if x.Name == name {
			h.Tensors[i].Type = q4
			n, err := h.Tensors[i].Bytes()
			if err != nil {
				t.Fatal(err)
			}
			blocks = make([]byte, n)
			for j := range blocks {
				blocks[j] = byte(j * 31)
				if at := j % 18; at < 2 {
					blocks[j] = byte(scale >> (8 * at))
				}
			}
			raw = blocks
		}
		data[x.Name] = slices.Clone(raw)
	}
	if _, err := h.Arrange(); err != nil {
		t.Fatal(err)
	}
	out, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	start := len(out)
	for _, x := range h.Tensors {
		out = append(out, make([]byte, start+int(x.Offset)-len(out))...)
		out = append(out, data[x.Name]...)
	}
	path = filepath.Join(t.TempDir(), "blocks.gguf")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, blocks
}

// Blocks become float32 to the last bit, or what is asked for, each number rounded
// once; what does not fit is refused, and nothing is left.
func TestImportTypes(t *testing.T) {
	const name = "model.layers.0.mlp.down_proj.weight"
	path, blocks := quantised(t, 0x2e66) // 0.1
	for dtype, d := range map[string]tensor.DType{"auto": tensor.F32, "float32": tensor.F32, "bfloat16": tensor.BF16, "float16": tensor.F16} {
		dir := t.TempDir()
		if _, err := unpack.Import(context.Background(), path, dir, unpack.Options{DType: dtype}); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		info, _ := s.Lookup(name)
		got, err := store.Bytes(s, name)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := tensor.Elements(info.Shape)
		exact, want := make([]float32, n), make([]byte, int(n)*d.Size())
		if err := errors.Join(tensor.Decode32(exact, blocks, tensor.Q4_0), tensor.Encode32(want, exact, d)); err != nil {
			t.Fatal(err)
		}
		if info.DType != d || !bytes.Equal(got, want) {
			t.Errorf("%s: %s in %s has other bytes", dtype, name, info.DType)
		}
	}
	large, _ := quantised(t, 0x7bff) // 65504
	for dtype, want := range map[string]string{"float16": "does not fit F16", "int8": `"int8" is unknown`} {
		dir := filepath.Join(t.TempDir(), "none")
		_, err := unpack.Import(context.Background(), large, dir, unpack.Options{DType: dtype})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", dtype, err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %d files are left", dtype, len(left))
		}
	}
}

// A file that is there stays, and an import that was stopped leaves nothing.
func TestImportKeeps(t *testing.T) {
	path := filepath.Join(testdata, "qwen2.gguf")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack.Import(context.Background(), path, dir, unpack.Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want one that the file exists", err)
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "config.json")); string(raw) != "mine" {
		t.Error("the file was replaced")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files", len(left))
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := t.TempDir()
	if _, err := unpack.Import(ctx, path, filepath.Join(stopped, "made", "here"), unpack.Options{Progress: func(int64, int64) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's end", err)
	}
	if left, _ := os.ReadDir(stopped); len(left) > 0 {
		t.Errorf("%d files or folders are left", len(left))
	}
}
