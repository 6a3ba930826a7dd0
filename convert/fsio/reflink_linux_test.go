package fsio

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// xfs gives a folder on a file system that shares blocks. Needs a privileged
// process, mkfs.xfs and a free loop device.
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
			t.Skipf("this machine cannot make an XFS to test on: %s: %v %s", cmd, err, out)
		}
	}
	t.Cleanup(func() { unix.Unmount(mount, 0) })
	return mount
}

// On XFS a copy shares blocks, and each file keeps its own content when the
// other is written.
func TestReflink(t *testing.T) {
	mount := xfs(t)
	data := pattern(1 << 20)
	src, dst := write(t, filepath.Join(mount, "src"), data), filepath.Join(mount, "dst")
	// Link makes a hard link here; what comes after it, where that is denied:
	action, err := place(ctx, src, dst, nil, true)
	if err != nil || action != Reflinked {
		t.Fatalf("%s, %v; want a reflink", action, err)
	}
	changed := append([]byte("changed"), data[7:]...)
	write(t, src, changed)
	if !bytes.Equal(read(t, dst), data) || !bytes.Equal(read(t, src), changed) {
		t.Error("the reflinked files are not independent")
	}
}

// Whole blocks of a range are shared where the positions allow it; what is around
// them, and what the target held before, is as it should be.
func TestShareRange(t *testing.T) {
	mount := xfs(t)
	data := pattern(1<<20 + 777)
	src, err := os.Open(write(t, filepath.Join(mount, "src"), data))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
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
