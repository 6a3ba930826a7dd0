package safetensors

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pecvt/pecvt/convert/tensor"
)

// A full disk is an error that names the file and says what to do, whichever way
// the bytes come.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer full.Close()
	_, err = NewWriter(full, two, nil)
	wantFull(t, err, "/dev/full")
}

func TestFullFileSystem(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this process may not mount a file system: %v", err)
	}
	defer unix.Unmount(small, 0)
	data := make([]byte, 1<<20)
	source, err := Open(one(t, tensor.U8, []int64{1 << 20}, data))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	section, err := source.Section("w")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(small, "m.safetensors")
	for name, write := range map[string]func(w *Writer) error{
		"bytes":  func(w *Writer) error { return w.WriteTensor("w", data) },
		"reader": func(w *Writer) error { return w.WriteTensorFrom("w", strings.NewReader(string(data))) },
		"copy":   func(w *Writer) error { return w.CopyTensor(context.Background(), "w", tensor.U8, section) },
	} {
		w, err := Create(path, []Info{{Name: "w", DType: tensor.U8, Shape: []int64{1 << 20}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		wantFull(t, write(w), path)
		wantFull(t, w.Close(), path)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: half a file is left behind", name)
		}
	}
	var infos []Info
	for i := range 3000 {
		infos = append(infos, Info{Name: strings.Repeat("x", 20) + string(rune('a'+i%26)) + strings.Repeat("y", i/26), DType: tensor.U8})
	}
	shards, err := PlanShards(infos, 0)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(small, indexName)
	wantFull(t, WriteIndex(path, shards), path)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("half an index is left behind")
	}
}

func wantFull(t *testing.T, err error, path string) {
	t.Helper()
	if !errors.Is(err, unix.ENOSPC) || !strings.HasPrefix(err.Error(), "safetensors: ") ||
		!strings.Contains(err.Error(), "write "+path+": no space left on device: free some space or choose another folder") {
		t.Errorf("error %v", err)
	}
}
