package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// A model in a bucket or a hub goes through the verbs as one on the disk does, with the
// documented exit codes.
func TestModelsByURL(t *testing.T) { placetest.Each(t, testModelsByURL) }

func testModelsByURL(t *testing.T, s *placetest.Server) {
	orttest.Require(t)
	library, _, err := ort.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(ort.EnvLibrary, library) // the cache becomes another
	t.Setenv("PECVT_CACHE", t.TempDir())
	h := placetest.StartHub(t, "org/stories")
	stories := filepath.Join(repository, "testdata", "models", "stories260K")
	s.PutFolder(t, "stories", stories)
	h.Push("main", stories)
	dir := t.TempDir()
	do := func(want int, words string, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, &stdout, &stderr)
		if code != want || !strings.Contains(stdout.String()+stderr.String(), words) {
			t.Errorf("pecvt %q ends with %d, not %d, or does not say %q:\n%s%s", args, code, want, words, stdout.String(), stderr.String())
		}
		return stdout.String()
	}
	do(1, s.Root("stories")+" holds no model.onnx", "verify", s.URL("stories"), "-q")
	do(1, s.Root("stories")+" holds no model.onnx", "verify", s.URL("stories"), "--layers", "0", "-q")
	do(1, s.Root("stories/model.safetensors")+" is a file", "verify", s.URL("stories/model.safetensors"), "-q")
	do(1, s.Root("stories")+": the folder holds no pytorch_model.bin", "import", s.URL("stories"), "-o", filepath.Join(dir, "none"))
	if came := must(filepath.Glob(filepath.Join(os.Getenv("PECVT_CACHE"), "*"))); len(came) > 0 {
		t.Errorf("for nothing to verify and to import there came %q", came)
	}
	for name, url := range map[string]string{"bucket": s.URL("stories"), "hf": "hf://org/stories", "file": "file://" + filepath.ToSlash(must(filepath.Abs(stories)))} {
		var in struct {
			Family string
			Read   *struct{ Requests, Bytes int64 }
		}
		if err := json.Unmarshal([]byte(do(0, "", "inspect", url, "--json")), &in); err != nil || in.Family != "llama" || (in.Read == nil) != (name == "file") {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
		out := filepath.Join(dir, name)
		do(0, "to hope", "convert", url, "--to", "hope", "-o", out, "-q")
		do(0, "model.onnx", "plan", url, "--to", "hope")
		config := must(os.ReadFile(filepath.Join(out, "config.json")))
		do(0, "", "convert", stories, "--to", "hope", "-o", filepath.Join(dir, name+"-disk"), "-q")
		if want := must(os.ReadFile(filepath.Join(dir, name+"-disk", "config.json"))); !bytes.Equal(config, want) {
			t.Errorf("%s: another config.json", name)
		}
	}
	s.PutFolder(t, "hope", filepath.Join(dir, "bucket"))
	do(0, "pass", "verify", s.URL("hope"), "--against", "hf://org/stories", "-q")
	do(0, "PPL", "eval", s.URL("hope"), "--ids", filepath.Join(stories, "sampled.safetensors"), "--lengths", "64", "-q")
	do(0, "", "run", s.URL("hope"), "--ids", "1,403", "--max-tokens", "3", "-q")

	do(1, "nothing lies there", "inspect", s.URL("no-such"))
	do(1, s.Scheme()+"://no-such-bucket", "inspect", s.At("no-such-bucket", "m"))
	do(1, "unknown scheme", "inspect", "ftp://host/m")
	do(1, "a user or a password", "inspect", "s3://key:secret@bucket/m")
	do(1, "Repository not found", "inspect", "hf://org/other")
	do(0, "to hope", "convert", s.URL("stories"), "--to", "hope", "-o", s.URL("out"), "-q")
	do(0, "pass", "verify", s.URL("out"), "--against", stories, "-q")
	do(1, "exists: choose another", "convert", stories, "--to", "hope", "-o", s.URL("out"))
	do(0, "", "convert", stories, "--to", "hope", "-o", s.URL("out"), "--force", "-q")
	do(0, "pass", "verify", s.URL("out"), "-q")
	do(0, "", "export", stories, "-o", s.URL("exported"), "--weights", "int4", "-q")
	do(0, "pass", "verify", s.URL("exported"), "-q")
	do(4, "a bucket", "convert", stories, "--to", "hope", "-o", "hf://org/out")
	do(1, "lies inside the source", "convert", s.URL("stories"), "--to", "hope", "-o", s.URL("stories/out"))
	do(1, "holds the source", "convert", s.URL("stories"), "--to", "hope", "-o", s.URL("stories"), "--force")
	blocks := filepath.Join(repository, "convert", "gguf", "arch", "testdata", "llama-tied-bf16.gguf")
	s.Put(t, "g/llama.gguf", must(os.ReadFile(blocks)))
	do(0, "imported", "import", s.URL("g/llama.gguf"), "-o", filepath.Join(dir, "from-bucket"), "-q")
	do(0, "imported", "import", blocks, "-o", filepath.Join(dir, "from-disk"), "-q")
	for _, name := range []string{"model.safetensors", "config.json"} {
		if !bytes.Equal(must(os.ReadFile(filepath.Join(dir, "from-bucket", name))), must(os.ReadFile(filepath.Join(dir, "from-disk", name)))) {
			t.Errorf("import of a URL: another %s", name)
		}
	}
	p := s.Proxy(t)
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(403)
		return true
	})
	do(1, s.Credentials(), "inspect", s.Through(p, "stories"))
	t.Setenv("HF_HUB_OFFLINE", "1")
	do(0, "to hope", "convert", "hf://org/stories", "--to", "hope", "-o", filepath.Join(dir, "offline"), "-q") // verify fetched it
	do(1, "HF_HUB_OFFLINE=1 forbids", "inspect", "hf://org/other")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Ctrl-C while a service is asked again ends inspect and plan at once.
func TestInterruptedWhileAsking(t *testing.T) {
	s := placetest.StartS3(t)
	p := s.Proxy(t)
	for _, args := range [][]string{{"inspect"}, {"plan", "--to", "hope"}, {"convert", "--to", "hope", "-o", filepath.Join(t.TempDir(), "out")}} {
		ctx, cancel := context.WithCancel(context.Background())
		var times atomic.Int64
		p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
			if times.Add(1) == 3 { // 0.8 s before the next, and 6 s before it is given up
				cancel()
			}
			w.WriteHeader(503)
			return true
		})
		var stdout, stderr bytes.Buffer
		code := run(ctx, append(args, s.Through(p, "m")), &stdout, &stderr)
		if code != 130 || times.Load() != 3 {
			t.Errorf("pecvt %q ends with %d after %d requests: %s", args, code, times.Load(), stderr.String())
		}
	}
}
