package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A folder whose name has an @ is a folder; what follows one after a folder is a library.
func TestBenchFoldersAndOps(t *testing.T) {
	dir := t.TempDir()
	plain, odd := filepath.Join(dir, "model"), filepath.Join(dir, "model@v2")
	for _, d := range []string{plain, odd} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "none") + "@lib.so"
	dirs, ops := foldersAndOps([]string{plain, plain + "@a@b.so", plain + "@", odd, odd + "@c.so", missing}, "all.so")
	if want := []string{plain, plain, plain, odd, odd, missing}; !slices.Equal(dirs, want) {
		t.Errorf("folders %v, expected %v", dirs, want)
	}
	if want := []string{"all.so", "a@b.so", "", "all.so", "c.so", "all.so"}; !slices.Equal(ops, want) {
		t.Errorf("libraries %v, expected %v", ops, want)
	}
}
