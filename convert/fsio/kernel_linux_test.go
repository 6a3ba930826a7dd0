package fsio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// /dev/full refuses every write with ENOSPC, and copy_file_range altogether, so
// that the portable way is taken.
func TestFullDiskWhileCopying(t *testing.T) {
	src, err := os.Open(write(t, filepath.Join(t.TempDir(), "src"), pattern(100_000)))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer full.Close()
	err = CopyRange(ctx, full, src, 0, 100_000, nil, nil)
	if !errors.Is(err, unix.ENOSPC) || !contains(err, "write /dev/full: no space left on device: free some space") {
		t.Errorf("error %v", err)
	}
}

// A file system of one megabyte, to fill for real; only a privileged process can
// make one.
func TestFullFileSystem(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this process may not mount a file system: %v", err)
	}
	defer unix.Unmount(small, 0)
	src := write(t, filepath.Join(t.TempDir(), "src"), pattern(2<<20))
	dst := filepath.Join(small, "dst")
	// Another file system: no hard link, no reflink, so Link copies.
	if _, err := Link(ctx, src, dst, nil); !errors.Is(err, unix.ENOSPC) || !contains(err, dst, "free some space") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dst); !os.IsNotExist(err) {
		t.Error("half a file is left behind")
	}
	ok := write(t, filepath.Join(t.TempDir(), "ok"), pattern(1<<19))
	action, err := Link(ctx, ok, dst, nil)
	if err != nil || action != Copied || !bytes.Equal(read(t, dst), pattern(1<<19)) {
		t.Errorf("across file systems: %s, %v", action, err)
	}
}

// Files of /proc have size 0 and copy_file_range copies nothing of them: what
// can be read must arrive all the same.
func TestSourceThatTheKernelDoesNotCopy(t *testing.T) {
	src, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Skipf("this system has no /proc: %v", err)
	}
	defer src.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "dst"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := CopyRange(ctx, out, src, 0, 10, nil, nil); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 10)
	if _, err := src.ReadAt(want, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, out.Name()), want) {
		t.Errorf("got %q, want %q", read(t, out.Name()), want)
	}
}

// A target opened for appending is one that copy_file_range refuses.
func TestTargetThatTheKernelDoesNotCopyTo(t *testing.T) {
	dir := t.TempDir()
	data := pattern(70_000)
	src, err := os.Open(write(t, filepath.Join(dir, "src"), data))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	out, err := os.OpenFile(filepath.Join(dir, "dst"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := CopyRange(ctx, out, src, 0, int64(len(data)), nil, nil); err != nil || !bytes.Equal(read(t, out.Name()), data) {
		t.Errorf("the portable copy differs (%v)", err)
	}
}
