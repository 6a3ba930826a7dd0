package safetensors

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpenEveryGolden opens every checkpoint under testdata and reads each
// tensor in full.
func TestOpenEveryGolden(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"*/*.safetensors", "*/*/*.safetensors", "*/*/*/*.safetensors", "*/*/*.index.json"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 20 {
		t.Fatalf("found only %d files under testdata", len(paths))
	}
	for _, path := range paths {
		f, err := OpenCheckpoint(path)
		if matched, _ := filepath.Match("*-of-*.safetensors", filepath.Base(path)); matched {
			if err == nil {
				t.Errorf("%s: one shard opened as a whole checkpoint", path)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range f.Names() {
			info, _ := f.Lookup(name)
			place, _ := f.Place(name)
			data, err := f.Bytes(name)
			if err != nil || int64(len(data)) != info.Bytes() {
				t.Errorf("%s: %s: %d bytes, %v", path, name, len(data), err)
			}
			raw := make([]byte, info.Bytes())
			on, err := os.Open(place.File)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := on.ReadAt(raw, place.Offset); err != nil || string(raw) != string(data) {
				t.Errorf("%s: %s: the map does not hold the file's bytes (%v)", path, name, err)
			}
			on.Close()
			if info.DType.IsFloat() {
				if _, err := f.Float64(name); err != nil {
					t.Error(err)
				}
			}
		}
		f.Close()
	}
}
