package fsio

import (
	"context"
	"os"
	"time"
)

// scratchName is what the files are called that [Reflinks] and [CopyRate] make
// for a moment where the system has no files without a name.
const scratchName = ".pecvt-scratch-*"

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
	if err := CopyRange(ctx, out, in, 0, n, nil); err != nil {
		return 0, err
	}
	return float64(n) / max(time.Since(begin), time.Microsecond).Seconds(), nil
}

// namedScratch opens an empty file in dir and returns what ends and removes it.
func namedScratch(dir string) (*os.File, func(), error) {
	f, err := os.CreateTemp(dir, scratchName)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close(); os.Remove(f.Name()) }, nil
}
