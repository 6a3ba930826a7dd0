package convert_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// tree reads a folder's files, or one file.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A conversion from a bucket has the bytes of one from the disk, file by file, whatever
// is asked for, and leaves the bucket as it is.
func TestConvertFromBucket(t *testing.T) { placetest.Each(t, testConvertFromBucket) }

func testConvertFromBucket(t *testing.T, s *placetest.Server) {
	testdata := filepath.Join("..", "testdata")
	from := map[string]string{"model": filepath.Join(testdata, "golden", "llama-gqa"), "shards": filepath.Join(testdata, "golden", "llama-sharded-f16"),
		"stories260K": filepath.Join(testdata, "models", "stories260K"), "file/llama.gguf": filepath.Join("gguf", "arch", "testdata", "llama-tied-bf16.gguf")}
	for name, path := range from {
		if strings.HasSuffix(name, ".gguf") {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s.Put(t, name, data)
			local := filepath.Join(t.TempDir(), "llama.gguf")
			if err := os.WriteFile(local, data, 0o666); err != nil {
				t.Fatal(err)
			}
			from[name] = local
			continue
		}
		s.PutFolder(t, name, path)
		local := filepath.Join(t.TempDir(), name) // the name is in the manifest
		if err := os.CopyFS(local, os.DirFS(path)); err != nil {
			t.Fatal(err)
		}
		from[name] = local
	}
	p := s.Proxy(t)
	var writes atomic.Int64
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" && r.Method != "HEAD" {
			writes.Add(1)
		}
		return false
	})
	for what, o := range map[string]convert.Options{
		"as-is": {To: "as-is"}, "native": {To: "hope"}, "partial": {To: "hope", Layout: "partial"}, "hashed": {To: "hope", Hash: true},
		"new shards": {To: "hope", Layout: "partial", MaxShardSize: 20_000}, "gguf": {To: "hope", Format: convert.GGUF}, "folder": {To: "hope", Format: convert.Safetensors},
	} {
		for name, path := range from {
			t.Run(what+"/"+name, func(t *testing.T) {
				results := make([]map[string]string, 2)
				var plans [2]*convert.Plan
				var failed [2]error
				for i, model := range []string{path, s.Through(p, name)} {
					dir := t.TempDir()
					o := o
					o.Output = filepath.Join(dir, "out")
					plan, err := convert.NewPlan(model, o)
					if err == nil {
						_, err = convert.Run(context.Background(), plan, convert.RunOptions{})
					}
					plans[i], failed[i] = plan, err
					results[i] = tree(t, dir)
				}
				if failed[0] != nil || failed[1] != nil { // some are refused
					if failed[0] == nil || failed[1] == nil || strings.ReplaceAll(failed[1].Error(), s.Root(name), path) != failed[0].Error() {
						t.Fatalf("from the disk %v, from the bucket %v", failed[0], failed[1])
					}
					return
				}
				if len(results[0]) == 0 || !reflect.DeepEqual(results[0], results[1]) {
					for name, data := range results[0] {
						if results[1][name] != data {
							t.Errorf("%s: other bytes from the bucket", name)
						}
					}
					t.Errorf("%d files from the disk, %d from the bucket", len(results[0]), len(results[1]))
				}
				if plans[0].Read != nil || plans[1].Read == nil || plans[1].Read.Requests == 0 || !reflect.DeepEqual(plans[0].LeftBehind, plans[1].LeftBehind) {
					t.Errorf("plans: read %+v and %+v, left behind %q and %q", plans[0].Read, plans[1].Read, plans[0].LeftBehind, plans[1].LeftBehind)
				}
			})
		}
	}
	if n := writes.Load(); n != 0 {
		t.Errorf("%d requests to write to the source", n)
	}
}

// A model that lies nowhere on the disk is inspected by its headers.
func TestInspectBucket(t *testing.T) { placetest.Each(t, testInspectBucket) }

func testInspectBucket(t *testing.T, s *placetest.Server) {
	path := filepath.Join("..", "testdata", "models", "stories260K")
	s.PutFolder(t, "a/stories260K", path)
	got, err := convert.Inspect(s.URL("a/stories260K"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := convert.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	read := got.Read
	got.Read = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, from the disk %+v", got, want)
	}
	if read == nil || read.Requests > 4 || read.Bytes > 200_000 {
		t.Errorf("read %+v", read)
	}
}

// A source that changes between plan and run, or while it is copied, leaves nothing.
func TestBucketChanges(t *testing.T) { placetest.Each(t, testBucketChanges) }

func testBucketChanges(t *testing.T, s *placetest.Server) {
	path := filepath.Join("..", "testdata", "models", "stories260K")
	s.PutFolder(t, "m", path)
	file := filepath.Join(path, "model.safetensors")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	p := s.Proxy(t)
	plan, err := convert.NewPlan(s.Through(p, "m"), convert.Options{To: "hope", Output: out})
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(data)
	other[len(other)-1] ^= 1
	var once atomic.Bool
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		// the header was read, the data are about to be
		if strings.HasSuffix(r.URL.Path, "/model.safetensors") && !strings.HasPrefix(placetest.Range(r), "bytes=0-65535") && once.CompareAndSwap(false, true) {
			s.Put(t, "m/model.safetensors", other)
		}
		return false
	})
	if _, err = convert.Run(context.Background(), plan, convert.RunOptions{}); !errors.Is(err, place.ErrChanged) || !strings.Contains(err.Error(), s.Root("m/model.safetensors")) {
		t.Errorf("error %v", err)
	}
	if !once.Load() {
		t.Error("nothing was replaced")
	}
	if left := tree(t, filepath.Dir(out)); len(left) != 0 {
		t.Errorf("left are %d files", len(left))
	}
}
