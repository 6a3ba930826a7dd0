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

// On XFS a copy shares blocks, and each file keeps its own content when the
// other is written. Needs a privileged process, mkfs.xfs and a free loop device.
func TestReflink(t *testing.T) {
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
	defer unix.Unmount(mount, 0)

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
