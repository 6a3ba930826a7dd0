package place_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// What was not used for long, or is over a size, goes from the cache when the next model
// is fetched; what a living process uses stays, and what is fetched again is whole.
func TestPrune(t *testing.T) {
	s := placetest.StartS3(t)
	cache := t.TempDir()
	t.Setenv("PECVT_CACHE", cache)
	t.Setenv("PECVT_PLACES_DAYS", "")
	t.Setenv("PECVT_PLACES_GB", "")
	fetch := func(name string) string {
		t.Helper()
		dir, err := place.Stage(context.Background(), s.URL(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	age := func(dir string, days int) {
		t.Helper()
		then := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		if err := os.Chtimes(filepath.Dir(dir)+".lock", then, then); err != nil {
			t.Fatal(err)
		}
	}
	there := func(what, dir string, want bool) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(dir, "config.json")); (err == nil) != want || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s: %v", what, dir, err)
		}
	}
	for _, name := range []string{"old", "new", "third", "fourth"} {
		s.Put(t, name+"/config.json", []byte("{}"))
		s.Put(t, name+"/model.safetensors", numbers(1<<20))
	}
	// other fetches in another process, which has ended
	other := func(names ...string) (dirs []string) {
		for _, name := range names {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestStageOther$")
			cmd.Env = append(os.Environ(), "STAGE_OTHER="+s.URL(name))
			out, err := cmd.Output()
			dir, _, _ := strings.Cut(string(out), "\n")
			if err != nil || !strings.HasPrefix(dir, cache) {
				t.Fatalf("%v: %s", err, out)
			}
			dirs = append(dirs, dir)
		}
		return dirs
	}
	dirs := other("old", "new")
	age(dirs[0], 31)
	age(dirs[1], 29)
	mine := fetch("third")
	there("31 days", dirs[0], false)
	there("29 days", dirs[1], true)
	other("new", "new", "new")
	if users, err := os.ReadDir(filepath.Dir(dirs[1]) + ".users"); err != nil || len(users) != 1 {
		t.Errorf("after four processes that ended, the last of them is noted: %v, %v", users, err)
	}
	age(dirs[1], 29)
	age(mine, 400)
	t.Setenv("PECVT_PLACES_GB", "0.0021") // two of a megabyte
	fetch("fourth")
	there("over the size, the longest unused", dirs[1], false)
	there("this process's", mine, true)
	if again := other("old"); again[0] != dirs[0] {
		t.Errorf("fetched again into %s", again[0])
	}
	there("fetched again", dirs[0], true)
	t.Setenv("PECVT_PLACES_DAYS", "many")
	if _, err := place.Stage(context.Background(), s.URL("new"), nil); err == nil || !strings.Contains(err.Error(), "PECVT_PLACES_DAYS=many") {
		t.Errorf("a bound that is no number: %v", err)
	}
}

// TestStageOther is the other process of TestPrune.
func TestStageOther(t *testing.T) {
	url := os.Getenv("STAGE_OTHER")
	if url == "" {
		return // it is not one
	}
	dir, err := place.Stage(context.Background(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(dir + "\n")
}

// Where the hub is not to be asked, its cache is read and nothing else, and what is not
// there is one error.
func TestHubOffline(t *testing.T) {
	h := placetest.StartHub(t, "org/model")
	commit := h.Push("main", folder(t, model(1)))
	dir := stage(t, "hf://org/model", coming(model(1)))
	t.Setenv("HF_HUB_OFFLINE", "1")
	h.Fail(nil)
	before := h.Requests.Load()
	for _, url := range []string{"hf://org/model", "hf://org/model@main", "hf://org/model@" + commit} {
		if got, err := place.Stage(context.Background(), url, nil); err != nil || got != dir {
			t.Errorf("%s: staged in %s, %v", url, got, err)
		}
		if _, err := open(t, url).ReadFile("config.json"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if n := h.Requests.Load() - before; n != 0 {
		t.Errorf("%d requests", n)
	}
	for _, url := range []string{"hf://org/other", "hf://org/model@other"} {
		_, err := openErr(url)
		said(t, url, err, fs.ErrNotExist, url, "is not in the cache", "HF_HUB_OFFLINE=1 forbids")
		if _, err := place.Stage(context.Background(), url, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("staged: %v", err)
		}
	}
}
