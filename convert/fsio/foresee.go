package fsio

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Reflinks tells whether [Clone] would share the blocks of the file src with a
// new file in the folder dir. It tries, and leaves nothing in dir. An error is
// one of opening src or of writing to dir.
func Reflinks(src, dir string) (bool, error) {
	in, _, err := openRegular(src)
	if err != nil {
		return false, err
	}
	defer in.Close()
	return reflinks(in, dir)
}

// sample is how much is copied to learn how fast that goes: enough to be longer
// than opening files, little enough to take a moment on a disk too.
const sample = 64 << 20

// CopyRate measures how many bytes a second a copy of src into the folder dir
// takes, by copying the beginning of it, at most 64 MiB, into a file that is gone
// afterwards. Like a copy, it does not wait for the disk. An empty src has rate 0.
func CopyRate(ctx context.Context, src, dir string) (float64, error) {
	in, info, err := openRegular(src)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, end, err := scratch(dir)
	if err != nil {
		return 0, err
	}
	defer end()
	n := min(info.Size(), sample)
	begin := time.Now()
	if err := CopyRange(ctx, out, in, 0, n, io.Discard, nil); err != nil {
		return 0, err
	}
	return float64(n) / max(time.Since(begin), time.Microsecond).Seconds(), nil
}

// Scratch opens an empty file in dir, "" is the system's place for temporary files,
// that has no name there where the file system has such files: nothing stays of it
// whatever becomes of the process. end closes and removes it.
func Scratch(dir string) (f *os.File, end func(), err error) {
	if dir == "" {
		dir = os.TempDir()
	}
	return scratch(dir)
}

// namedScratch is scratch where the system has no files without a name.
func namedScratch(dir string) (*os.File, func(), error) {
	t, err := NewTemporary(dir, "scratch")
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(filepath.Join(t.Dir, "file"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Remove()
		return nil, nil, err
	}
	return f, func() { f.Close(); t.Remove() }, nil
}
