package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// tensors are one of every type, of several shapes.
func tensors(t testing.TB, types []tensor.DType) map[string]storetest.Tensor {
	t.Helper()
	all := map[string]storetest.Tensor{}
	for _, d := range types {
		unit, _ := d.Unit()
		row := int64(max(unit, 32))
		for name, shape := range map[string][]int64{"vector": {2 * row}, "matrix": {6, row}, "stack": {2, 3, 3 * row}, "none": {0, row}} {
			n, err := tensor.ByteSize(d, shape)
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(i*7 + i>>8)
			}
			all[name+"."+d.String()] = storetest.Tensor{DType: d, Shape: shape, Data: data}
		}
	}
	if !types[0].IsBlock() {
		all["scalar"] = storetest.Tensor{DType: types[0], Data: make([]byte, types[0].Size())}
	}
	return all
}

func TestMemory(t *testing.T) {
	want := tensors(t, append(tensor.DTypes(), tensor.BlockFormats()...))
	storetest.Run(t, func(t testing.TB) store.Store {
		m, err := storetest.New("memory", fstest.MapFS{}, want)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}, want)
}

// One file and shards, opened by every path that Open takes.
func TestSafetensors(t *testing.T) {
	want := tensors(t, tensor.DTypes())
	m, err := storetest.New("memory", fstest.MapFS{}, want)
	if err != nil {
		t.Fatal(err)
	}
	single, sharded := write(t, m, 0), write(t, m, 2000)
	for _, path := range []string{single, filepath.Join(single, "model.safetensors"), sharded, filepath.Join(sharded, "model.safetensors.index.json")} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			storetest.Run(t, func(t testing.TB) store.Store {
				s, err := store.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}, want)
		})
	}
	s, err := store.Open(sharded)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := len(s.Files()); n < 2 || s.IndexPath() == "" {
		t.Errorf("%d files, index %q: the shards are not seen", n, s.IndexPath())
	}
	r, err := s.Section("scalar")
	if err != nil {
		t.Fatal(err)
	}
	if outer, _, _ := r.Outer(); !isFile(outer) {
		t.Errorf("a section reads from %T, from which the system cannot copy", outer)
	}
}

func isFile(r io.ReaderAt) bool { _, ok := r.(*os.File); return ok }

// write stores a memory store as safetensors, in a folder.
func write(t testing.TB, m *storetest.Memory, shard int64) string {
	t.Helper()
	dir := t.TempDir()
	var infos []safetensors.Info
	for _, name := range m.Names() {
		info, _ := m.Lookup(name)
		infos = append(infos, safetensors.Info{Name: name, DType: info.DType, Shape: info.Shape})
	}
	shards, err := safetensors.PlanShards(infos, shard)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shards {
		w, err := safetensors.Create(filepath.Join(dir, s.File), s.Infos, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range s.Infos {
			r, err := m.Section(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.CopyTensor(context.Background(), info.Name, info.DType, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(shards) > 1 {
		if err := safetensors.WriteIndex(filepath.Join(dir, "model.safetensors.index.json"), shards); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"model.npz":  "expected a folder, a .safetensors file or a *.safetensors.index.json (safetensors), or a .gguf file (gguf)",
		"model.gguf": "too few for a header",
		"absent":     "no such file",
		".":          "the folder holds no .safetensors file",
	} {
		path := filepath.Join(dir, name)
		if strings.HasPrefix(name, "model.") {
			if err := os.WriteFile(path, []byte("GGUF"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := store.Open(path); err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", name, s, err, want)
		}
	}
}

func TestErrorsNameFileAndTensor(t *testing.T) {
	m, err := storetest.New("root", fstest.MapFS{}, map[string]storetest.Tensor{
		"here":  {DType: tensor.F32, Shape: []int64{2}, Data: make([]byte, 8), Place: &store.Place{File: "a/b.bin", Length: 8}},
		"there": {DType: tensor.F32, Shape: []int64{2}, Data: make([]byte, 8)},
	})
	if err != nil {
		t.Fatal(err)
	}
	inner := errors.New("why")
	for name, want := range map[string]string{"here": `a/b.bin: tensor "here": why`, "there": `root: tensor "there": why`} {
		if err := store.Errorf(m, name, "%w", inner); err.Error() != want || !errors.Is(err, inner) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := store.Errorf(bare{}, "x", "why"); err.Error() != `tensor "x": why` {
		t.Errorf("a reader without a root: %v", err)
	}
}

type bare struct{ store.Reader }

func (bare) Place(string) (store.Place, bool) { return store.Place{}, false }

func TestCheckFinite(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.Q8_0} {
		for at, value := range map[int]float64{-1: 0, 0: math.NaN(), 351: math.Inf(-1), 700: math.NaN()} {
			values := make([]float64, 704)
			if at >= 0 {
				values[at] = value
			}
			n, err := tensor.ByteSize(d, []int64{22, 32})
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, n)
			if err := tensor.Encode64(data, values, d); err != nil {
				t.Fatal(err)
			}
			m, err := storetest.New("root", fstest.MapFS{}, map[string]storetest.Tensor{"w": {DType: d, Shape: []int64{22, 32}, Data: data},
				"ids": {DType: tensor.I8, Shape: []int64{2}, Data: []byte{255, 255}}})
			if err != nil {
				t.Fatal(err)
			}
			var bad *store.NotFiniteError
			err = store.CheckFinite(m, "w")
			switch unit, _ := d.Unit(); {
			case at < 0 && err != nil:
				t.Error(err)
			case at >= 0 && (!errors.As(err, &bad) || bad.Element != int64(at/unit*unit) || bad.Tensor != "w" || bad.Where != "root"):
				t.Errorf("%s with %v at %d: %v", d, value, at, err)
			case at >= 0 && !strings.Contains(err.Error(), "of shape [22 32] is "):
				t.Error(err)
			}
			if err := store.CheckFinite(m, "ids"); err != nil {
				t.Error(err)
			}
		}
	}
}

// A store in memory becomes a file and comes back.
func TestCopy(t *testing.T) {
	want := tensors(t, []tensor.DType{tensor.F32})
	m, err := storetest.New("memory", fstest.MapFS{}, want)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(write(t, m, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	back, err := storetest.Copy(s, func(name string, t *storetest.Tensor) error {
		if name == "matrix.F32" {
			return t.Encode(tensor.F64)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		got := back.Tensors[name]
		if name == "matrix.F32" {
			if got.DType != tensor.F64 || got.Place != nil || len(got.Data) != 2*len(w.Data) {
				t.Errorf("%s: %s of %d bytes at %v", name, got.DType, len(got.Data), got.Place)
			}
			continue
		}
		if !bytes.Equal(got.Data, w.Data) || got.Place == nil {
			t.Errorf("%s: %d bytes at %v", name, len(got.Data), got.Place)
		}
	}
}
