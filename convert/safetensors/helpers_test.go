package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"

	"github.com/pecvt/pecvt/convert/place"
)

// openLocal is Open with a map or without.
func openLocal(path string, useMap bool) (*File, error) {
	from, err := place.OpenLocal(path)
	return open(path, from, err, useMap)
}

// raw makes a file's bytes from a header's text and data.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// entry is one tensor of a header.
func entry(name, dtype, shape string, begin, end int) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, begin, end)
}

// file writes a valid file with F32 tensors of two elements each.
func file(t testing.TB, dir, name string, tensors ...string) string {
	t.Helper()
	var infos []Info
	for _, n := range tensors {
		infos = append(infos, Info{Name: n, DType: tensor.F32, Shape: []int64{2}})
	}
	path := filepath.Join(dir, name)
	w, err := Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range tensors {
		data := make([]byte, 8)
		if err := tensor.Encode64(data, []float64{float64(i), float64(len(n))}, tensor.F32); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteTensor(n, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func index(t testing.TB, dir, name string, pairs ...string) string {
	t.Helper()
	var entries []string
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, fmt.Sprintf("%q: %q", pairs[i], pairs[i+1]))
	}
	return put(t, dir, name, []byte(`{"metadata": {"total_size": 16}, "weight_map": {`+strings.Join(entries, ", ")+`}}`))
}

// wantFormat checks that err is one line about the files' content that holds
// every part.
func wantFormat(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", parts)
		return
	}
	if !errors.Is(err, ErrFormat) {
		t.Errorf("not a format error: %v", err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, "safetensors: ") || strings.Contains(text, "\n") {
		t.Errorf("error is not one line that begins with the package: %q", text)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("error %q lacks %q", text, p)
		}
	}
}
