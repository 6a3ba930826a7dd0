package fsio

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// xfs gives a folder on a file system that shares blocks. Needs a privileged process, mkfs.xfs and
// a free loop device.
func xfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, image, nil)
	if err := os.Truncate(image, 320<<20); err != nil { // the smallest XFS is 300 MB
		t.Fatal(err)
	}
	for _, cmd := range []string{"mkfs.xfs -q -m reflink=1 " + image, "mount -o loop " + image + " " + mount} {
		args := strings.Fields(cmd)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("this machine cannot make an XFS to test on, so no reflink is made: %s: %v %s", cmd, err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Errorf("unmount %s: %v", mount, err)
		}
	})
	return mount
}

// On XFS a clone shares blocks, and each file keeps its own content when the
// other is written.
func TestReflink(t *testing.T) {
	mount := xfs(t)
	for _, n := range []int{0, 1, 100, 4096, 1 << 20, 1<<20 + 17} {
		data := pattern(n)
		src, dst := write(t, filepath.Join(mount, "src"), data), filepath.Join(mount, "dst")
		if err := os.Chmod(src, 0o440); err != nil {
			t.Fatal(err)
		}
		before := names(t, mount)
		if can, err := Reflinks(src, mount); err != nil || !can {
			t.Errorf("%d bytes: foreseen %v, %v", n, can, err)
		}
		if after := names(t, mount); after != before {
			t.Errorf("looking ahead leaves %s, before %s", after, before)
		}
		var moved int64
		action, err := Clone(ctx, src, dst, nil, func(n int64) { moved += n })
		if err != nil || action != Reflinked || moved != int64(n) {
			t.Fatalf("%d bytes: %s, %v, progress %d; want a reflink", n, action, err, moved)
		}
		if _, err := Clone(ctx, src, dst, nil, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over an existing file: %v", err)
		}
		a, b := stat(t, src), stat(t, dst)
		if os.SameFile(a, b) || a.Mode() != b.Mode() || b.Sys().(*syscall.Stat_t).Nlink != 1 {
			t.Errorf("same file %v, mode %v, want %v", os.SameFile(a, b), b.Mode(), a.Mode())
		}
		if err := os.Chmod(src, 0o640); err != nil {
			t.Fatal(err)
		}
		changed := append([]byte("changed"), data...)
		write(t, src, changed)
		if !bytes.Equal(read(t, dst), data) || !bytes.Equal(read(t, src), changed) {
			t.Error("the reflinked files are not independent")
		}
		os.Remove(src)
		os.Remove(dst)
	}
}

// A reflink takes no space: more of them are made than the disk could hold.
func TestReflinkTakesNoSpace(t *testing.T) {
	mount := xfs(t)
	src := write(t, filepath.Join(mount, "src"), pattern(80<<20))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		begin := time.Now()
		if action, err := Clone(ctx, src, filepath.Join(mount, name), nil, nil); err != nil || action != Reflinked {
			t.Fatalf("%s: %s, %v", name, action, err)
		}
		t.Logf("%s: 80 MiB in %v", name, time.Since(begin))
	}
	// From elsewhere it does need the space: a full disk is an error, and half
	// a file does not stay.
	away := write(t, filepath.Join(t.TempDir(), "away"), nil)
	if err := os.Truncate(away, 320<<20); err != nil {
		t.Fatal(err)
	}
	if can, err := Reflinks(away, mount); err != nil || can {
		t.Errorf("a reflink between two file systems is foreseen (%v)", err)
	}
	dst := filepath.Join(mount, "away")
	if _, err := Clone(ctx, away, dst, nil, nil); !errors.Is(err, unix.ENOSPC) || !contains(err, dst, "free some space") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dst); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file is left behind (%v)", err)
	}
}

// A file system without reflinks refuses the call, and the file is copied.
func TestNoReflink(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("this process may not mount a file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	data := pattern(1 << 20)
	src, dst := write(t, filepath.Join(dir, "src"), data), filepath.Join(dir, "dst")
	if can, err := Reflinks(src, dir); err != nil || can {
		t.Errorf("foreseen %v, %v", can, err)
	}
	if done, err := reflink(open(t, src), dst, 0o644); done || err != nil {
		t.Errorf("reflink: %v, %v", done, err)
	}
	if _, err := os.Stat(dst); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what could not be a reflink is left behind (%v)", err)
	}
	if action, err := Clone(ctx, src, dst, nil, nil); err != nil || action != Copied || !bytes.Equal(read(t, dst), data) {
		t.Errorf("%s, %v", action, err)
	}
}

// Whole blocks of a range are shared where the positions allow it; what is around
// them, and what the target held before, is as it should be.
func TestShareRange(t *testing.T) {
	mount := xfs(t)
	data := pattern(1<<20 + 777)
	src := open(t, write(t, filepath.Join(mount, "src"), data))
	for _, c := range []struct {
		at, offset, length int64
		want               Action
	}{
		{4096 + 100, 100, 1 << 20, Reflinked},
		{8192, 4096, int64(len(data)) - 4096, Reflinked},
		{5000, 100, 1 << 20, Copied},
		{100, 4096 + 100, 3000, Copied}, // no whole block in it
	} {
		shared(t, filepath.Join(mount, "dst"), data, src, c.at, c.offset, c.length, c.want)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
