package fsio_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pecvt/pecvt/convert/fsio"
)

// A path that is taken is refused at once, by the process that has it, and is free
// after it; what a dead process left is no obstacle.
func TestTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	if err := os.WriteFile(path, []byte("of a process that was killed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := fsio.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fsio.Take(path)
	if want := fmt.Sprintf("in use by process %d", os.Getpid()); !errors.Is(err, fsio.ErrClaimed) || err.Error() != want {
		t.Errorf("taken twice: %v, expected %q", err, want)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if err := first.Release(); err != nil {
		t.Errorf("released twice: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	again, err := fsio.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path); err == nil {
		if _, err := fsio.Take(path); err == nil {
			t.Error("a link to elsewhere is taken")
		}
	}
}

// However many take and release one path, one at a time has it.
func TestTakeAmongMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	var holders, taken atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				c, err := fsio.Take(path)
				if errors.Is(err, fsio.ErrClaimed) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two have it")
				}
				taken.Add(1)
				holders.Add(-1)
				if err := c.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() < 2 {
		t.Errorf("taken %d times", taken.Load())
	}
}
