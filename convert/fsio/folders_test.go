package fsio

import (
	"os"
	"path/filepath"
	"testing"
)

// What was made goes, what was there before or has a file in it stays.
func TestMakeFolders(t *testing.T) {
	root := t.TempDir()
	undo, err := MakeFolders(filepath.Join(root, "a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(root, "a", "b", "c")); err != nil || !info.IsDir() {
		t.Fatal(info, err)
	}
	if err := os.WriteFile(filepath.Join(root, "a", "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	undo()
	if left, err := os.ReadDir(filepath.Join(root, "a")); err != nil || len(left) != 1 || left[0].Name() != "file" {
		t.Errorf("left are %v, %v", left, err)
	}
	undo, err = MakeFolders(root)
	if err != nil {
		t.Fatal(err)
	}
	if undo(); !exists(root) {
		t.Error("a folder that was there before is gone")
	}
	if _, err := MakeFolders(filepath.Join(root, "a", "file", "d")); err == nil {
		t.Error("a folder below a file")
	}
}
