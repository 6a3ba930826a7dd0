package safetensors

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFingerprint: the same bytes have one fingerprint under any name, and a
// change at the start of any tensor, or in the header, gives another.
func TestFingerprint(t *testing.T) {
	const source = "../../testdata/golden/llama-gqa/model.safetensors"
	data, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	of := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		print, err := f.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return print
	}
	first := of("a.safetensors", data)
	if again := of("b.safetensors", data); again != first || len(first) != 64 {
		t.Errorf("the same bytes: %q, then %q", first, again)
	}
	f, err := Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]string{first: "the file itself"}
	for _, info := range f.Tensors() {
		changed := append([]byte(nil), data...)
		changed[f.DataStart()+info.Begin] ^= 1
		print := of("c.safetensors", changed)
		if other, twice := seen[print]; twice {
			t.Errorf("tensor %q changed: the fingerprint of %s", info.Name, other)
		}
		seen[print] = info.Name
	}
}
