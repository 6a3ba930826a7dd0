package convert_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pecvt/pecvt/convert"
)

// TestFullDisk: one error that says so, and the disk is as empty as before.
func TestFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("this user may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, 0) })
	for _, o := range []convert.Options{to("hope"), partial(), {To: "hope-ab3", MaxShardSize: 100000}, {To: "hope", Format: convert.GGUF}} {
		o.Output = filepath.Join(small, "out")
		_, err := run(plan(t, golden(t, "llama-gqa"), o))
		if !errors.Is(err, unix.ENOSPC) || strings.Count(err.Error(), "no space left") != 1 || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("%s: error %v", o.To, err)
		}
		if left := names(t, small); len(left) > 0 {
			t.Errorf("%s: %v is left", o.To, left)
		}
	}
	// a GGUF file made from one, which is copied over
	o := to("hope")
	o.Output = filepath.Join(small, "out.gguf")
	if _, err := run(plan(t, llamaCPP("llama3-scaled"), o)); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("GGUF: error %v", err)
	}
	if left := names(t, small); len(left) > 0 {
		t.Errorf("GGUF: %v is left", left)
	}
}

// TestReadOnlyTarget: also for root, who may write to any folder but not to a
// file system without room for files.
func TestReadOnlyTarget(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "parent")
	if err := os.Mkdir(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		parent = "/proc/sys"
	}
	o := to("hope")
	o.Output = filepath.Join(parent, "out")
	_, err := run(plan(t, golden(t, "llama-gqa"), o))
	if err == nil || !strings.Contains(err.Error(), "target "+o.Output+": cannot write beside it: ") {
		t.Errorf("error %v", err)
	}
	nothing(t, o.Output)
}
