package fsio

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestHolds is the other process of the tests here: it makes a Temporary and waits.
func TestHolds(t *testing.T) {
	dir := os.Getenv("PECVT_TEST_HOLDS")
	if dir == "" {
		return
	}
	own, err := NewTemporary(dir, "held")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own.Dir, "half"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("made " + own.root + "\n")
	os.Stdin.Read(make([]byte, 1))
}

// hold starts a process that has a Temporary in dir, and returns its folder and what
// kills it.
func hold(t *testing.T, dir string) (root string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHolds$")
	cmd.Env = append(os.Environ(), "PECVT_TEST_HOLDS="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
		in.Close()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	root, ok := strings.CutPrefix(strings.TrimSpace(line), "made ")
	if err != nil || !ok {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return root, kill
}

// TestTemporary: what a killed process left goes, what a live one has stays, its own
// folders too.
func TestTemporary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b]*")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	first, err := NewTemporary(dir, "own")
	if err != nil {
		t.Fatal(err)
	}
	alive, _ := hold(t, dir)
	dead, kill := hold(t, dir)
	kill()
	second, err := NewTemporary(dir, strings.Repeat("ü", 300))
	if err != nil {
		t.Fatal(err)
	}
	if exists(dead) {
		t.Errorf("%s is still there", dead)
	}
	for _, at := range []string{filepath.Join(alive, filesName, "half"), first.Dir, second.Dir} {
		if !exists(at) {
			t.Errorf("%s is gone", at)
		}
	}
	if name := filepath.Base(second.root); !temporaryName.MatchString(name) || len(name) > 150 {
		t.Errorf("it is called %s", name)
	}
	for _, own := range []*Temporary{first, second, nil} {
		if err := own.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestTemporaries: many at once in one folder, each of which sweeps, come and go.
func TestTemporaries(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				own, err := NewTemporary(dir, "a")
				if err == nil {
					err = own.Remove()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestSweep: what may not be a dead process's of this machine stays.
func TestSweep(t *testing.T) {
	dead := owner{Pecvt: ownerMark, Pid: 1 << 30, machine: here(), Name: "out"}
	other := func(change func(*owner)) string {
		o := dead
		change(&o)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	same := other(func(*owner) {})
	for name, c := range map[string]struct {
		folder string
		files  map[string]string
		stays  bool
	}{
		"dead":                    {files: map[string]string{"lock": same, "files/half": "x"}},
		"another name here":       {files: map[string]string{"lock": other(func(o *owner) { o.Host += "x" })}},
		"host without boot":       {files: map[string]string{"lock": other(func(o *owner) { o.Boot = "" })}},
		"another machine":         {stays: true, files: map[string]string{"lock": other(func(o *owner) { o.Host += "x"; o.Boot = "x" })}},
		"another, boot not known": {stays: true, files: map[string]string{"lock": other(func(o *owner) { o.Host += "x"; o.Boot = "" })}},
		"nothing in it":           {},
		"no word in its lock":     {files: map[string]string{"lock": ""}},
		"files, no word":          {stays: true, files: map[string]string{"lock": "", "thesis": "x"}},
		"files, no lock":          {stays: true, files: map[string]string{"thesis": "x"}},
		"someone's":               {stays: true, files: map[string]string{"lock": "{}", "thesis": "x"}},
		"someone's text":          {stays: true, files: map[string]string{"lock": "mine", "thesis": "x"}},
		"another form of name":    {stays: true, folder: ".out.pecvt-1-0-1", files: map[string]string{"lock": same}},
		"no hidden folder":        {stays: true, folder: "out.pecvt-1-0", files: map[string]string{"lock": same}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.folder == "" {
				c.folder = ".out.pecvt-1-0"
			}
			root := filepath.Join(dir, c.folder)
			if err := os.Mkdir(root, 0o777); err != nil {
				t.Fatal(err)
			}
			for file, text := range c.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			sweep(dir)
			if exists(root) != c.stays {
				t.Errorf("it stays: %v", !c.stays)
			}
			for file := range c.files {
				if c.stays && !exists(filepath.Join(root, file)) {
					t.Errorf("%s is gone", file)
				}
			}
		})
	}
}

// TestDeadWithoutLocks: where files have no locks only the same ids tell.
func TestDeadWithoutLocks(t *testing.T) {
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pid    int
		change func(*machine)
		want   bool
	}{
		{ended.Process.Pid, func(*machine) {}, true},
		{os.Getpid(), func(*machine) {}, false},
		{0, func(*machine) {}, false},
		{ended.Process.Pid, func(m *machine) { m.Host += "x" }, false},
		{ended.Process.Pid, func(m *machine) { m.Pids += "x" }, false},
	} {
		o := owner{Pid: c.pid, machine: here()}
		c.change(&o.machine)
		if got := o.dead(here(), false); got != c.want {
			t.Errorf("%+v: %v", o, got)
		}
	}
}

// TestSweepPutsBack: a process killed between the two renames of a replacement has
// moved an older result away, which is not lost.
func TestSweepPutsBack(t *testing.T) {
	for _, taken := range []bool{false, true} {
		dir := t.TempDir()
		root, kill := hold(t, dir)
		if err := os.MkdirAll(filepath.Join(root, asideName, "old"), 0o777); err != nil {
			t.Fatal(err)
		}
		want := []string{"held", "held/old"}
		if taken {
			want = want[:1]
			if err := os.Mkdir(filepath.Join(dir, "held"), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		kill()
		sweep(dir)
		if got := tree(t, dir); !slices.Equal(got, want) {
			t.Errorf("there is %v, want %v", got, want)
		}
	}
}

// tree lists what is in a folder, folders before what they hold.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if path != dir {
			list = append(list, strings.TrimPrefix(filepath.ToSlash(path[len(dir):]), "/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPut and TestReplace: files and folders, names that are taken.
func TestPut(t *testing.T) {
	for _, kind := range []string{"file", "folder"} {
		dir := t.TempDir()
		make := func(name string) string {
			path := filepath.Join(dir, name)
			err := os.WriteFile(path, []byte(name), 0o666)
			if kind == "folder" {
				os.Remove(path)
				err = os.MkdirAll(filepath.Join(path, name), 0o777)
			}
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
		a, b := make("a"), make("b")
		if err := Put(a, b); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s to a name that is taken: %v", kind, err)
		}
		if !exists(a) || !exists(b) {
			t.Errorf("%s: one is gone", kind)
		}
		if err := Put(a, filepath.Join(dir, "c")); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if exists(a) {
			t.Errorf("%s: it is still there", kind)
		}
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	own, err := NewTemporary(dir, "out")
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "out")
	for _, path := range []string{filepath.Join(old, "old"), filepath.Join(own.Dir, "new")} {
		if err := os.MkdirAll(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := own.Replace(filepath.Join(own.root, "missing"), old); err == nil || !exists(filepath.Join(old, "old")) {
		t.Errorf("error %v, there is %v", err, tree(t, dir))
	}
	if err := own.Replace(own.Dir, old); err != nil {
		t.Fatal(err)
	}
	if err := own.Remove(); err != nil {
		t.Fatal(err)
	}
	if got, want := tree(t, dir), []string{"out", "out/new"}; !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}
