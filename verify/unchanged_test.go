package verify_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pecvt/pecvt/verify"
)

// TestChangedMeanwhile: a file that is written to, replaced or removed while a folder is
// verified is one error, whichever file it is and whatever the checks say of it.
func TestChangedMeanwhile(t *testing.T) {
	again := func(path string) error { // the same bytes in a new file, as a copy over it is
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path+".new", data, 0o666)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		return err
	}
	stock := conversion{model: "golden/llama-gqa", to: "hope"}
	for _, c := range []struct {
		name, file, says string
		change           func(path string) error
	}{
		{"written to", "model.safetensors", "had ", func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = f.Write([]byte{0})
				err = errors.Join(err, f.Close())
			}
			return err
		}},
		{"in place", "model.safetensors", "had ", func(path string) error {
			now := time.Now().Add(time.Second)
			return os.Chtimes(path, now, now)
		}},
		{"replaced", "config.json", "another file", again},
		{"removed", "model.onnx", "is gone", os.Remove},
		{"the source", "source", "had ", func(path string) error {
			now := time.Now().Add(time.Second)
			return os.Chtimes(filepath.Join(path, "model.safetensors"), now, now)
		}},
		{"nothing", "", "", func(string) error { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := stock.write(t)
			path := filepath.Join(dir, c.file)
			o := verify.Options{ORTLibrary: noLibrary}
			if c.file == "source" {
				path = filepath.Join(t.TempDir(), "source")
				if err := os.CopyFS(path, os.DirFS(filepath.Join("..", "testdata", "golden", "llama-gqa"))); err != nil {
					t.Fatal(err)
				}
				o.Against = path
			}
			steps := 0
			o.Progress = func(string, int, int) {
				if steps++; steps == 8 {
					if err := c.change(path); err != nil {
						t.Error(err)
					}
				}
			}
			_, err := verify.Verify(context.Background(), dir, o)
			if steps < 8 {
				t.Fatalf("%d steps", steps)
			}
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, verify.ErrChanged) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), filepath.Base(c.file)) {
				t.Errorf("%v, expected %q of %s", err, c.says, c.file)
			}
		})
	}
}
