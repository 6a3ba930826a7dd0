package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/place"
)

// TestCommitPutsTheOldTargetBack when the new one cannot take its place.
func TestCommitPutsTheOldTargetBack(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "out")
	if err := os.Mkdir(old, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, manifestName), []byte(`{"schema":1,"tool":"pecvt devel","files":[{"name":"kept"}]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "kept"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	at := &target{path: old, temporary: filepath.Join(dir, "missing"), exists: true}
	if err := at.commit(false, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(old, "kept")); err != nil {
		t.Errorf("the old target is gone: %v", err)
	}
	at.discard()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
}

// TestSecondRun: two runs to one new target; the one that comes second says that
// the target exists, and the first one's result stays.
func TestSecondRun(t *testing.T) {
	p := &Plan{Output: filepath.Join(t.TempDir(), "out"), folder: place.Local(t.TempDir())}
	var runs [2]*target
	for i := range runs {
		var err error
		if runs[i], err = p.prepareTarget(false); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(runs[i].temporary, string('a'+rune(i))), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := runs[0].commit(false, nil); err != nil {
		t.Fatal(err)
	}
	err := runs[1].commit(false, nil)
	runs[1].discard()
	if !errors.Is(err, errTaken) || strings.Contains(err.Error(), "rename") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.Output, "a")); err != nil {
		t.Errorf("the first result: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(p.Output)); err != nil || len(left) != 1 {
		t.Errorf("beside the target: %v, %v", left, err)
	}
}

// TestFilesThatComeMeanwhile: a file put into the old target during a run is not
// deleted with it.
func TestFilesThatComeMeanwhile(t *testing.T) {
	p := &Plan{Output: filepath.Join(t.TempDir(), "out"), folder: place.Local(t.TempDir())}
	if err := os.Mkdir(p.Output, 0o777); err != nil {
		t.Fatal(err)
	}
	at, err := p.prepareTarget(true)
	if err != nil {
		t.Fatal(err)
	}
	defer at.discard()
	if err := os.WriteFile(filepath.Join(p.Output, "precious"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := at.commit(false, nil); err == nil || !strings.Contains(err.Error(), "did not write") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.Output, "precious")); err != nil {
		t.Error(err)
	}
}

// TestParentsGoWithTheTarget: folders made on the way to a target that failed
// are removed, those that were there or are used by others stay.
func TestParentsGoWithTheTarget(t *testing.T) {
	dir := t.TempDir()
	p := &Plan{Output: filepath.Join(dir, "a", "b", "c", "out"), folder: place.Local(t.TempDir())}
	at, err := p.prepareTarget(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "other"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	at.discard()
	if _, err := os.Stat(filepath.Join(dir, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a/b: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "other")); err != nil {
		t.Errorf("a/other: %v", err)
	}
	// a file in the way
	p.Output = filepath.Join(dir, "a", "other", "deep", "out")
	if _, err := p.prepareTarget(false); err == nil {
		t.Error("a target below a file: no error")
	}
}

// TestDurable: the same result, synced.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"linked", "written"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	at := &target{path: dir + "-out", temporary: dir}
	if err := at.commit(true, map[string]bool{"linked": true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir + "-out") })
	if data, err := os.ReadFile(filepath.Join(dir+"-out", "written")); err != nil || string(data) != "written" {
		t.Errorf("written: %q, %v", data, err)
	}
}
