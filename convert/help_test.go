package convert_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// golden copies a golden checkpoint (its own files, not the folder of goldens)
// into a fresh folder.
func golden(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	from := filepath.Join("..", "testdata", "golden", name)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || e.Name() == "golden.safetensors" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, e.Name()), data)
	}
	return dir
}

// editConfig replaces a key of a config.json; the value is JSON.
func editConfig(t testing.TB, path, key, value string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := family.ParseObject(data)
	if err != nil {
		t.Fatal(err)
	}
	o.Set(key, json.RawMessage(value))
	if data, err = o.Indented(); err != nil {
		t.Fatal(err)
	}
	put(t, path, data)
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func plan(t testing.TB, model string, o convert.Options) *convert.Plan {
	t.Helper()
	p, err := convert.NewPlan(model, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// produce plans and runs into a fresh folder.
func produce(t testing.TB, model string, o convert.Options) (string, *convert.Plan, *convert.Result) {
	t.Helper()
	if o.Output == "" {
		o.Output = filepath.Join(t.TempDir(), "out")
	}
	p := plan(t, model, o)
	r, err := convert.Run(context.Background(), p, convert.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o.Output, p, r
}

func to(name string) convert.Options { return convert.Options{To: name} }

func partial() convert.Options {
	return convert.Options{To: "hope", Layout: rewrite.Partial, Cut: posenc.Cut{Kind: posenc.CutKeep, Keep: 3}}
}

// snapshot maps every file below a folder to its content's hash and its time of
// change.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		rel, err := filepath.Rel(dir, path)
		out[rel] = string(sum[:]) + info.ModTime().String() + info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// names lists a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	sort.Strings(out)
	return out
}

func open(t testing.TB, path string) *safetensors.Checkpoint {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func raw(t testing.TB, c *safetensors.Checkpoint, name string) []byte {
	t.Helper()
	b, err := c.Bytes(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameTensors asserts that two checkpoints hold the same tensors, byte for
// byte, but for those that skip says.
func sameTensors(t testing.TB, a, b *safetensors.Checkpoint, skip func(string) bool) {
	t.Helper()
	if strings.Join(a.Names(), " ") != strings.Join(b.Names(), " ") {
		t.Fatalf("tensors %v and %v", a.Names(), b.Names())
	}
	for _, n := range a.Names() {
		if skip != nil && skip(n) {
			continue
		}
		x, _ := a.Lookup(n)
		y, _ := b.Lookup(n)
		if x.DType != y.DType || !bytes.Equal(raw(t, a, n), raw(t, b, n)) {
			t.Errorf("tensor %s differs", n)
		}
	}
}
