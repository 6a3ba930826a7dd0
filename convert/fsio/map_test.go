package fsio

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMap(t *testing.T) {
	data := pattern(10*os.Getpagesize() + 123)
	f, err := os.Open(write(t, filepath.Join(t.TempDir(), "f"), data))
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMap(f, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if m == nil {
		t.Skip("this system does not map files")
	}
	if !bytes.Equal(m.Data(), data) {
		t.Fatal("the map differs from the file")
	}
	// Released pages come back, whatever the range is.
	for _, r := range [][2]int64{{0, int64(len(data))}, {5000, 10}, {int64(len(data)) - 1, 1}, {0, 0}, {int64(len(data)), 0}, {int64(len(data)), 50}} {
		m.Release(r[0], r[1])
		if !bytes.Equal(m.Data(), data) {
			t.Fatalf("after releasing %v the map differs from the file", r)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestMapOfAnEmptyFile(t *testing.T) {
	f, err := os.Open(write(t, filepath.Join(t.TempDir(), "f"), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m, err := NewMap(f, 0); m != nil || err != nil {
		t.Errorf("got %v, %v; want none", m, err)
	}
}
