package fsio

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWriteWhole: the file is there, over an older one, and nothing beside it;
// where it cannot be, the older one stays.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	for _, text := range []string{"one", "two"} {
		if err := WriteWhole(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := string(read(t, path)); got != text {
			t.Errorf("read %q, want %q", got, text)
		}
	}
	broken := errors.New("broken")
	if err := Whole(path, 0o600, true, func(w io.Writer) error { w.Write([]byte("thr")); return broken }); err != broken {
		t.Errorf("error %v", err)
	}
	if got := string(read(t, path)); got != "two" {
		t.Errorf("the older file reads %q", got)
	}
	folder := filepath.Join(dir, "folder", "within") // in the way
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteWhole(filepath.Dir(folder), nil); err == nil || strings.Contains(err.Error(), ".pecvt-") {
		t.Errorf("error %v", err)
	}
	if err := WriteWhole(filepath.Join(dir, "missing", "state.json"), nil); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), ".pecvt-") {
		t.Errorf("error %v", err)
	}
	if got, want := tree(t, dir), []string{"folder", "folder/within", "state.json"}; !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestAbsolute(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Absolute("x/../y"), filepath.Join(here, "y"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
