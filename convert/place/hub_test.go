package place_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// folder makes a folder of files.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, data, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// model is a repository's files; v tells versions apart.
func model(v byte) map[string][]byte {
	large := numbers(20 << 20)
	large[0] = v
	return map[string][]byte{"config.json": {'{', '}', v}, "model.safetensors": large, "a b#.txt": []byte("x"), "sub/deep/x.json": []byte("[]"), "pytorch_model.bin": []byte("old"), ".gitattributes": []byte("*"), "z": {}}
}

// A repository's files are those of the commit that its revision was when it was
// opened, whatever is pushed meanwhile.
func TestHubPinned(t *testing.T) {
	h := placetest.StartHub(t, "org/model")
	h.Token = "secret"
	t.Setenv("HF_TOKEN", h.Token)
	first := model(1)
	commit := h.Push("main", folder(t, first))
	h.Push("refs/pr/1", folder(t, map[string][]byte{"other": []byte("pr")}))
	f := open(t, "hf://org/model")
	if f.Root() != "hf://org/model" {
		t.Errorf("root %q", f.Root())
	}
	h.Push("main", folder(t, model(2)))
	for name, data := range first {
		if got, err := f.ReadFile(name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for url, want := range map[string]string{"hf://org/model@" + commit: "{}\x01", "hf://org/model@main": "{}\x02"} {
		if got, err := open(t, url).ReadFile("config.json"); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	if got, err := open(t, "hf://org/model@refs%2Fpr%2F1").ReadFile("other"); err != nil || string(got) != "pr" {
		t.Errorf("a revision with slashes: %q, %v", got, err)
	}
	if got, err := open(t, "hf://org/model/sub").ReadFile("deep/x.json"); err != nil || string(got) != "[]" {
		t.Errorf("a folder of the repository: %q, %v", got, err)
	}
}

// What a hub refuses is one error that says what it said.
func TestHubRefusals(t *testing.T) {
	place.ShortWaits(t)
	h := placetest.StartHub(t, "org/model")
	h.Push("main", folder(t, model(1)))
	for url, words := range map[string][]string{
		"hf://org/none":         {"hf://org/none", "404", "Repository not found"},
		"hf://org/model@v2":     {"hf://org/model@v2", "Invalid rev id: v2"},
		"hf://org/model/nope":   {"hf://org/model/nope", "does not exist"},
		"hf://org":              {"hf://ORG/NAME@REVISION"},
		"hf://org/model@":       {"hf://ORG/NAME@REVISION"},
		"hf://org/model@..%2Fx": {"revision"},
	} {
		_, err := openErr(url)
		said(t, url, err, nil, words...)
	}
	h.Token = "secret"
	_, err := openErr("hf://org/model")
	said(t, "no token", err, fs.ErrPermission, "hf://org/model", "restricted", "HF_TOKEN")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_TOKEN_PATH", file)
	open(t, "hf://org/model")
	h.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		w.Write([]byte("<html>"))
		return true
	})
	_, err = openErr("hf://org/model")
	said(t, "no hub", err, nil, "hf://org/model", "none of a hub's")
	h.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(503)
		return true
	})
	_, err = openErr("hf://org/model")
	said(t, "503", err, nil, "503 Service Unavailable", "given up")
}

// stage stages a place and compares what is there.
func stage(t *testing.T, url string, want map[string][]byte) string {
	t.Helper()
	var last [2]int64
	dir, err := place.Stage(context.Background(), url, func(_ string, done, total int64) { last = [2]int64{done, total} })
	if err != nil {
		t.Fatal(err)
	}
	if last[0] != last[1] || last[0] == 0 {
		t.Errorf("told of %d of %d bytes", last[0], last[1])
	}
	got := map[string]bool{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		name := filepath.ToSlash(rel)
		data, err := os.ReadFile(path)
		if w, ok := want[name]; !ok || !bytes.Equal(data, w) {
			t.Errorf("%s: %d bytes, expected %d (%v)", name, len(data), len(w), ok)
		}
		got[name] = true
		return err
	})
	if err != nil || len(got) != len(want) {
		t.Errorf("%d files, not %d: %v", len(got), len(want), err)
	}
	return dir
}

// coming is what of a repository's files is staged.
func coming(files map[string][]byte) map[string][]byte {
	delete(files, "pytorch_model.bin")
	delete(files, ".gitattributes")
	return files
}

// Files that are staged lie in the hub's own cache, as its own client has them, and are
// not fetched twice.
func TestHubStage(t *testing.T) {
	h := placetest.StartHub(t, "org/model")
	commit := h.Push("main", folder(t, model(1)))
	dir := stage(t, "hf://org/model", coming(model(1)))
	repo := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--org--model")
	if dir != filepath.Join(repo, "snapshots", commit) {
		t.Errorf("staged in %s", dir)
	}
	if ref, err := os.ReadFile(filepath.Join(repo, "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "sub", "deep", "x.json")); err != nil || !strings.HasPrefix(filepath.ToSlash(to), "../../../../blobs/") {
		t.Errorf("a file is a link to %q, %v", to, err)
	}
	before := h.Requests.Load()
	stage(t, "hf://org/model@main", coming(model(1)))
	if n := h.Requests.Load() - before; n != 0 {
		t.Errorf("%d files were fetched again", n)
	}
	h.Push("main", folder(t, model(2)))
	stage(t, "hf://org/model", coming(model(2)))
	if n := h.Requests.Load() - before; n > 8 {
		t.Errorf("%d requests for two files that changed", n)
	}
	stage(t, "hf://org/model@"+commit, coming(model(1)))
}

// A staging that ends in the middle goes on from there; bytes that are not those of the
// digest are an error, and are fetched anew.
func TestHubStageResumes(t *testing.T) {
	place.ShortWaits(t)
	h := placetest.StartHub(t, "org/model")
	h.Push("main", folder(t, model(1)))
	var bytesSent atomic.Int64
	large := func(r *http.Request) bool { return r.URL.Path == "/signed" }
	h.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if !large(r) {
			return false
		}
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=16777216-") { // the third part
			for range 200 { // until the others are there
				list, _ := filepath.Glob(filepath.Join(os.Getenv("HF_HOME"), "hub", "models--org--model", "blobs", "*.parts"))
				if len(list) == 1 {
					if text, err := os.ReadFile(list[0]); err == nil && bytes.Count(text, []byte("\n")) == 2 {
						break
					}
				}
				time.Sleep(50 * time.Millisecond)
			}
			w.WriteHeader(403)
			return true
		}
		bytesSent.Add(8 << 20)
		return false
	})
	_, err := place.Stage(context.Background(), "hf://org/model", nil)
	said(t, "a part that is refused", err, fs.ErrPermission, "hf://org/model/model.safetensors", "goes on from there")
	if bytesSent.Load() == 0 {
		t.Fatal("no part came")
	}
	bytesSent.Store(0)
	h.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if large(r) {
			bytesSent.Add(8 << 20)
		}
		return false
	})
	stage(t, "hf://org/model", coming(model(1)))
	if n := bytesSent.Load(); n != 8<<20 {
		t.Errorf("%d bytes came again, expected one part", n)
	}
	damaged := numbers(20 << 20)
	damaged[5<<20] ^= 1
	h.Push("main", folder(t, model(3)))
	h.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if large(r) {
			http.ServeContent(w, r, "", fsTime, bytes.NewReader(damaged))
		}
		return large(r)
	})
	_, err = place.Stage(context.Background(), "hf://org/model", nil)
	said(t, "damaged bytes", err, nil, "SHA-256", "hf://org/model/model.safetensors")
	h.Fail(nil)
	stage(t, "hf://org/model", coming(model(3)))
}

// A bucket's files are staged in pecvt's own cache, by their versions.
func TestStage(t *testing.T) { placetest.Each(t, testStage) }

func testStage(t *testing.T, s *placetest.Server) {
	cache := t.TempDir()
	t.Setenv("PECVT_CACHE", cache)
	put := func(files map[string][]byte) {
		for name, data := range files {
			s.Put(t, "a/m/"+name, data)
		}
	}
	put(model(1))
	dir := stage(t, s.URL("a/m"), coming(model(1)))
	if filepath.Base(dir) != "m" || !strings.HasPrefix(dir, filepath.Join(cache, "places")) {
		t.Errorf("staged in %s", dir)
	}
	if again := stage(t, s.URL("a/m"), coming(model(1))); again != dir {
		t.Errorf("staged again in %s", again)
	}
	put(model(2))
	if other := stage(t, s.URL("a/m"), coming(model(2))); other == dir {
		t.Errorf("another version in the same folder")
	}
	file, err := place.Stage(context.Background(), s.URL("a/m/model.safetensors"), nil)
	if err != nil || filepath.Base(file) != "model.safetensors" {
		t.Errorf("a file is staged as %s, %v", file, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := place.Stage(ctx, s.URL("a/m"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if local, err := place.Stage(context.Background(), "file://"+filepath.ToSlash(dir), nil); err != nil || local != dir {
		t.Errorf("a file URL is staged as %s, %v", local, err)
	}
}

var fsTime = must(os.Stat(".")).ModTime()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
