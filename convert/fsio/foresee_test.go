package fsio

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names lists a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// What is foreseen comes true, and looking ahead leaves nothing, not even of an
// empty folder.
func TestForesee(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 5000, 1 << 20} {
		src := write(t, filepath.Join(dir, "src"), pattern(n))
		can, err := Reflinks(src, empty)
		if err != nil {
			t.Fatal(err)
		}
		rate, err := CopyRate(ctx, src, empty)
		if err != nil || (rate > 0) != (n > 0) {
			t.Errorf("%d bytes: rate %v, %v", n, rate, err)
		}
		if left := names(t, empty); left != "" {
			t.Errorf("%d bytes: %s is left", n, left)
		}
		dst := filepath.Join(dir, "dst")
		action, err := Clone(ctx, src, dst, nil, nil)
		if err != nil || (action == Reflinked) != can {
			t.Errorf("%d bytes: %s, %v; foreseen %v", n, action, err, can)
		}
		os.Remove(dst)
	}
}

func TestForeseeErrors(t *testing.T) {
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "src"), pattern(100))
	away := filepath.Join(dir, "missing")
	for _, at := range [][2]string{{away, dir}, {src, away}} {
		if _, err := Reflinks(at[0], at[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", at, err)
		}
		if _, err := CopyRate(ctx, at[0], at[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", at, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := CopyRate(cancelled, src, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
