package fsio

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var ctx = context.Background()

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pattern gives bytes of which no two nearby stretches are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*29)
	}
	return b
}

func TestLink(t *testing.T) {
	dir := t.TempDir()
	data := pattern(100_000)
	src, dst := write(t, filepath.Join(dir, "src"), data), filepath.Join(dir, "dst")
	var moved int64
	action, err := Link(ctx, src, dst, func(n int64) { moved += n })
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, dst), data) || moved != int64(len(data)) {
		t.Errorf("%s: content differs, or progress %d is not %d", action, moved, len(data))
	}
	a, _ := os.Stat(src)
	b, _ := os.Stat(dst)
	if (action == Linked) != os.SameFile(a, b) {
		t.Errorf("action %s, but same file is %v", action, os.SameFile(a, b))
	}
	if _, err := Link(ctx, src, dst, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("linking over an existing file: %v", err)
	}
	if !bytes.Equal(read(t, dst), data) {
		t.Error("the existing file was touched")
	}
}

// A download cache holds symbolic links with relative targets: linking the link
// itself would make a dangling one elsewhere.
func TestLinkFollowsSymlinks(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"blobs", "snapshot", "out"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "blobs", "abc"), []byte("weights"))
	link := filepath.Join(dir, "snapshot", "model.safetensors")
	if err := os.Symlink(filepath.Join("..", "blobs", "abc"), link); err != nil {
		t.Skipf("this system makes no symbolic links here: %v", err)
	}
	for _, place := range []func(context.Context, string, string, Progress) (Action, error){Link, func(ctx context.Context, src, dst string, p Progress) (Action, error) {
		return Clone(ctx, src, dst, nil, p)
	}} {
		dst := filepath.Join(dir, "out", "model.safetensors")
		if _, err := place(ctx, link, dst, nil); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(dst)
		if err != nil || !info.Mode().IsRegular() || string(read(t, dst)) != "weights" {
			t.Errorf("mode %v, %v: not the file that the link leads to", info.Mode(), err)
		}
		os.Remove(dst)
	}
}

func TestClone(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{0, 1, 4095, 4096, step + 12345} {
		data := pattern(n)
		src, dst := write(t, filepath.Join(dir, "src"), data), filepath.Join(dir, "dst")
		if err := os.Chmod(src, 0o440); err != nil {
			t.Fatal(err)
		}
		var moved int64
		action, err := Clone(ctx, src, dst, nil, func(n int64) { moved += n })
		if err != nil || action != Copied && action != Reflinked {
			t.Fatalf("%d bytes: %s, %v", n, action, err)
		}
		if !bytes.Equal(read(t, dst), data) || moved != int64(n) {
			t.Errorf("%d bytes: content differs, or progress is %d", n, moved)
		}
		a, _ := os.Stat(src)
		b, _ := os.Stat(dst)
		if os.SameFile(a, b) || a.Mode() != b.Mode() {
			t.Errorf("%d bytes: same file %v, mode %v, want %v", n, os.SameFile(a, b), b.Mode(), a.Mode())
		}
		os.Remove(src)
		os.Remove(dst)
	}
}

func TestCopyRange(t *testing.T) {
	dir := t.TempDir()
	data := pattern(50_000)
	src, err := os.Open(write(t, filepath.Join(dir, "src"), data))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	out, err := os.Create(filepath.Join(dir, "dst"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var want []byte
	for _, r := range [][2]int64{{40_000, 10_000}, {0, 0}, {1, 4097}, {0, 50_000}} {
		if _, err := out.Write([]byte("gap")); err != nil {
			t.Fatal(err)
		}
		if err := CopyRange(ctx, out, src, r[0], r[1], nil, nil); err != nil {
			t.Fatal(err)
		}
		want = append(append(want, "gap"...), data[r[0]:r[0]+r[1]]...)
	}
	if !bytes.Equal(read(t, out.Name()), want) {
		t.Error("the ranges did not arrive in order")
	}
	err = CopyRange(ctx, out, src, 49_000, 2_000, nil, nil)
	if err == nil || !contains(err, src.Name(), "ends at byte 50000", "1000 more") {
		t.Errorf("a range beyond the end: %v", err)
	}
}

// shared writes a range into a new file behind other bytes and checks the whole.
func shared(t *testing.T, path string, data []byte, src *os.File, at, offset, length int64, want Action) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	before := bytes.Repeat([]byte("h"), int(at))
	if _, err := out.Write(before); err != nil {
		t.Fatal(err)
	}
	var moved int64
	action, err := ShareRange(ctx, out, at, src, offset, length, nil, func(n int64) { moved += n })
	if err != nil || action != want || moved != length {
		t.Fatalf("%s, %d bytes told of, %v: want %s and %d", action, moved, err, want, length)
	}
	if _, err := out.WriteString("tail"); err != nil {
		t.Fatal(err)
	}
	whole := append(append(before, data[offset:offset+length]...), "tail"...)
	if !bytes.Equal(read(t, path), whole) {
		t.Errorf("%d bytes from %d at %d: the target is not what it should be", length, offset, at)
	}
}

// Without reflinks a range is copied, wherever it lies.
func TestShareRangeCopies(t *testing.T) {
	dir := t.TempDir()
	data := pattern(50_000)
	src, err := os.Open(write(t, filepath.Join(dir, "src"), data))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, c := range [][3]int64{{10, 20, 30_000}, {17, 4096, 0}, {0, 49_000, 1_000}} {
		shared(t, filepath.Join(dir, "dst"), data, src, c[0], c[1], c[2], Copied)
	}
}

func TestInterruptedCopyLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	src, dst := write(t, filepath.Join(dir, "src"), pattern(3*step)), filepath.Join(dir, "dst")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	action, err := Clone(ctx, src, dst, nil, func(int64) { cancel() })
	if action == Reflinked {
		t.Skip("a reflink is whole at once: there is nothing to interrupt")
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dst); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the target is left behind (%v)", err)
	}
}

func TestPlaceErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	for _, place := range []func(context.Context, string, string, Progress) (Action, error){Link, func(ctx context.Context, src, dst string, p Progress) (Action, error) {
		return Clone(ctx, src, dst, nil, p)
	}} {
		if _, err := place(ctx, missing, filepath.Join(dir, "dst"), nil); !errors.Is(err, fs.ErrNotExist) || !contains(err, missing) {
			t.Errorf("missing source: %v", err)
		}
		if _, err := place(ctx, dir, filepath.Join(dir, "dst"), nil); err == nil || !contains(err, "not a regular file", dir) {
			t.Errorf("folder as source: %v", err)
		}
		src := write(t, filepath.Join(dir, "src"), []byte("x"))
		if _, err := place(ctx, src, filepath.Join(dir, "no", "dst"), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing target folder: %v", err)
		}
	}
}

func contains(err error, parts ...string) bool {
	for _, p := range parts {
		if !bytes.Contains([]byte(err.Error()), []byte(p)) {
			return false
		}
	}
	return true
}
