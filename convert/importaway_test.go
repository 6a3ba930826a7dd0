package convert_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/posenc"
)

// importable gives checkpoints of both formats on the disk: a GGUF file, and a folder of
// PyTorch's with files beside the tensors.
func importable(t *testing.T) map[string]string {
	t.Helper()
	folder := t.TempDir()
	for name, from := range map[string]string{"pytorch_model.bin": filepath.Join("torchfile", "testdata", "kinds.pt"), "config.json": filepath.Join("..", "testdata", "golden", "llama-gqa", "config.json")} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"gguf": filepath.Join("gguf", "arch", "testdata", "llama-tied-bf16.gguf"), "torch": folder}
}

// An import to a bucket has the bytes of one to the disk, in one file or several.
func TestImportTo(t *testing.T) { placetest.Each(t, testImportTo) }

func testImportTo(t *testing.T, s *placetest.Server) {
	for name, path := range importable(t) {
		for what, opts := range map[string]convert.ImportOptions{"whole": {}, "shards": {MaxShardSize: 20_000}} {
			dir, key := filepath.Join(t.TempDir(), "out"), name+"-"+what
			want, err := convert.Import(context.Background(), path, dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := convert.CheckImport(context.Background(), path, s.URL(key)); err != nil {
				t.Error(err)
			}
			got, err := convert.Import(context.Background(), path, s.URL(key), opts)
			if err != nil {
				t.Fatal(err)
			}
			if got.Output != s.Root(key) || got.Bytes != want.Bytes || len(got.Files) != len(want.Files) || got.Wrote.Bytes < got.Bytes {
				t.Errorf("%s: %+v, to the disk %+v", key, got, want)
			}
			if made, wanted := objects(t, s, key), tree(t, dir); !maps.Equal(made, wanted) || len(wanted) < 2 {
				t.Errorf("%s: %d objects in the bucket, %d files on the disk, or other bytes", key, len(made), len(wanted))
			}
			for _, check := range []func() error{
				func() error { return convert.CheckImport(context.Background(), path, s.URL(key)) },
				func() error { _, err := convert.Import(context.Background(), path, s.URL(key), opts); return err },
			} {
				if err := check(); err == nil || !strings.Contains(err.Error(), s.Root(key)+" exists") {
					t.Errorf("%s: over what is there: %v", key, err)
				}
			}
		}
	}
}

// An import that is ended in its middle is read by nobody, and the same one goes on with
// what was sent; another one is refused.
func TestImportResumes(t *testing.T) {
	s := placetest.StartS3(t)
	path := importable(t)["gguf"]
	opts := convert.ImportOptions{MaxShardSize: 20_000}
	p := s.Proxy(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		third := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "model-00003-")
		if third {
			cancel()
			w.WriteHeader(http.StatusInternalServerError)
		}
		return third
	})
	_, err := convert.Import(ctx, path, s.Through(p, "out"), opts)
	if left := (*convert.LeftError)(nil); !errors.As(err, &left) || !errors.Is(err, context.Canceled) || left.Target != s.Root("out") {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := convert.Inspect(s.URL("out")); !errors.Is(err, place.ErrUnfinished) {
		t.Errorf("half an import is read: %v", err)
	}
	if _, err := convert.Import(context.Background(), path, s.URL("out"), convert.ImportOptions{MaxShardSize: 30_000}); err == nil || !strings.Contains(err.Error(), "left unfinished") {
		t.Errorf("another import: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := convert.Import(context.Background(), path, dir, opts); err != nil {
		t.Fatal(err)
	}
	r, err := convert.Import(context.Background(), path, s.URL("out"), opts)
	if err != nil {
		t.Fatal(err)
	}
	want := tree(t, dir)
	var all int64
	for name, data := range want {
		if !strings.HasPrefix(name, "model-00001-") && !strings.HasPrefix(name, "model-00002-") {
			all += int64(len(data))
		}
	}
	if r.Wrote.Bytes != all {
		t.Errorf("%d bytes were sent, want %d: all but the first two shards", r.Wrote.Bytes, all)
	}
	if !maps.Equal(objects(t, s, "out"), want) {
		t.Error("other bytes than those of an import to the disk")
	}
}

// Folders that an import does not write to are refused before anything is read or fetched.
func TestImportRefused(t *testing.T) {
	s := placetest.StartS3(t)
	for _, c := range []struct{ from, to, want string }{
		{"x.gguf", "hf://org/name", "writing there is"},
		{"x.gguf", s.URL("a/model.gguf"), "choose another name"},
		{s.URL("m"), s.URL("m/out"), "never written to"},
		{s.URL("m"), s.URL("m"), "never written to"},
		{s.URL("m/x.bin"), s.URL("m"), "never written to"},
		{"x.gguf", "ftp://host/x", "unknown scheme"},
	} {
		err := convert.CheckImport(context.Background(), c.from, c.to)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, posenc.ErrUnsupported) != strings.HasPrefix(c.to, "hf:") {
			t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.want)
		}
	}
	if err := convert.CheckImport(context.Background(), s.URL("m/x.bin"), s.URL("m/out")); err != nil { // beside a file
		t.Error(err)
	}
	if left := s.Objects(t, "m"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}
