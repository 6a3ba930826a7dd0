package convert_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/onnxops"
)

// objects reads the files of a folder of the bucket.
func objects(t *testing.T, s *placetest.Server, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range s.Objects(t, folder) {
		files[filepath.FromSlash(name)] = string(s.Get(t, folder+"/"+name))
	}
	return files
}

// sources puts models onto the disk and into the bucket, under the same names.
func sources(t *testing.T, s *placetest.Server) map[string]string {
	t.Helper()
	testdata := filepath.Join("..", "testdata")
	from := map[string]string{"model": filepath.Join(testdata, "golden", "llama-gqa"), "shards": filepath.Join(testdata, "golden", "llama-sharded-f16"),
		"stories260K": filepath.Join(testdata, "models", "stories260K"), "file/llama.gguf": filepath.Join("gguf", "arch", "testdata", "llama-tied-bf16.gguf")}
	for name, path := range from {
		local := filepath.Join(t.TempDir(), filepath.Base(name)) // the name is in the manifest
		if strings.HasSuffix(name, ".gguf") {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(local, data, 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.Put(t, name, data)
		} else {
			s.PutFolder(t, name, path)
			if err := os.CopyFS(local, os.DirFS(path)); err != nil {
				t.Fatal(err)
			}
		}
		from[name] = local
	}
	return from
}

// A conversion to a bucket, from it or from the disk, has the bytes of one to the disk,
// file by file, whatever is asked for. What the server copied is recorded as a link is.
func TestConvertTo(t *testing.T) { placetest.Each(t, testConvertTo) }

func testConvertTo(t *testing.T, s *placetest.Server) {
	from := sources(t, s)
	graph := onnxops.Finish(onnxops.Options{})
	for what, c := range map[string]struct {
		o      convert.Options
		finish func(context.Context, convert.Made) error
		disk   bool
	}{
		"as-is": {o: convert.Options{To: "as-is"}}, "native": {o: convert.Options{To: "hope"}}, "partial": {o: convert.Options{To: "hope", Layout: "partial"}},
		"hashed": {o: convert.Options{To: "hope", Hash: true}}, "hashed partial": {o: convert.Options{To: "hope", Layout: "partial", Hash: true}},
		"new shards": {o: convert.Options{To: "hope", Layout: "partial", MaxShardSize: 20_000}}, "gguf": {o: convert.Options{To: "hope", Format: convert.GGUF}},
		"folder": {o: convert.Options{To: "hope", Format: convert.Safetensors}}, "on the disk first": {o: convert.Options{To: "hope", Layout: "partial"}, disk: true},
		"graph": {o: convert.Options{To: "hope", Format: convert.Safetensors}, finish: graph}, "graph, partial": {o: convert.Options{To: "hope", Layout: "partial", Format: convert.Safetensors}, finish: graph},
		"int4": {o: convert.Options{To: "as-is", Format: convert.Safetensors}, finish: onnxops.Finish(onnxops.Options{Weights: onnxops.WeightsInt4})},
	} {
		if s.Scheme() != "s3" && !slices.Contains([]string{"native", "partial", "graph", "gguf"}, what) {
			continue // what differs among services is how bytes are sent, copied and read
		}
		for name, path := range from {
			t.Run(what+"/"+name, func(t *testing.T) {
				convertTo := func(model, output string, o convert.Options) (*convert.Result, error) {
					o.Output = output
					plan, err := convert.NewPlan(model, o)
					if err != nil {
						return nil, err
					}
					return convert.Run(context.Background(), plan, convert.RunOptions{Finish: c.finish, OnDisk: c.disk})
				}
				dir := t.TempDir()
				file := c.o.Format == convert.GGUF || c.o.Format == "" && strings.HasSuffix(name, ".gguf")
				out := "out"
				if file {
					out = "out.gguf"
				}
				copied, linked := c.o, c.o
				copied.Copy, linked.Link = true, true
				_, want := convertTo(path, filepath.Join(dir, "copied", out), copied)
				if want == nil {
					if _, err := convertTo(path, filepath.Join(dir, "linked", out), linked); err != nil {
						t.Fatal(err)
					}
				}
				for where, model := range map[string]string{"copied": path, "linked": s.URL(name)} {
					key := strings.NewReplacer("/", "-", " ", "-", ",", "").Replace(what + "/" + name + "/" + where)
					r, err := convertTo(model, s.URL(key+"/"+out), c.o)
					if want != nil || err != nil {
						if want == nil || err == nil || strings.NewReplacer(s.Root(name), path, s.Root(key+"/"+out), filepath.Join(dir, "copied", out)).Replace(err.Error()) != want.Error() {
							t.Errorf("%s: to the disk %v, to the bucket %v", where, want, err)
						}
						if left := objects(t, s, key); len(left) > 0 {
							t.Errorf("%s: %d objects are left", where, len(left))
						}
						continue
					}
					wanted, got := tree(t, filepath.Join(dir, where)), objects(t, s, key)
					for name, data := range wanted {
						if got[name] != data {
							t.Errorf("%s: %s: other bytes in the bucket", where, name)
						}
					}
					if len(wanted) != len(got) || len(wanted) == 0 {
						t.Errorf("%s: %d files on the disk, %d in the bucket", where, len(wanted), len(got))
					}
					if r.Wrote == nil || (r.Wrote.Copied > 0) != (where == "linked" && has(r.Files, "copied on the server")) {
						t.Errorf("%s: %+v", where, r.Wrote)
					}
				}
			})
		}
	}
	if n := s.Uploads(t); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	for name, path := range from { // the sources are as they were
		got := map[string]string{filepath.Base(name): ""}
		if strings.HasSuffix(name, ".gguf") {
			path = filepath.Dir(path)
			got[filepath.Base(name)] = string(s.Get(t, name))
		} else {
			got = objects(t, s, name)
		}
		if !reflect.DeepEqual(got, tree(t, path)) {
			t.Errorf("%s changed", name)
		}
	}
}

// has tells whether a file came about in a way.
func has(files []convert.ResultFile, how string) bool {
	for _, f := range files {
		if f.How == how {
			return true
		}
	}
	return false
}
