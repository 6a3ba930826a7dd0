package fsio

import (
	"os"
	"path/filepath"
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
	if err := os.Mkdir(path+".part", 0o777); err != nil { // in the way
		t.Fatal(err)
	}
	if err := WriteWhole(path, []byte("three")); err == nil {
		t.Error("written through a folder")
	}
	if got := string(read(t, path)); got != "two" {
		t.Errorf("the older file reads %q", got)
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
