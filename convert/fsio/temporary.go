package fsio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Temporary is a folder of this process's own, for a result that is not done yet or
// for what is needed for a while. A process that is killed leaves it behind, and the
// next one that makes a Temporary in the same folder removes it: see [NewTemporary].
type Temporary struct {
	// Dir is the empty folder to fill.
	Dir  string
	root string
	lock *os.File
}

// The folder is called .NAME.pecvt-PID-N and holds lockName, what is filled, and for
// a moment an older target that is being replaced.
const (
	lockName  = "lock"
	filesName = "files"
	asideName = "replaced"
)

// temporaryName is what the folders of [NewTemporary] are called.
var temporaryName = regexp.MustCompile(`^\..+\.pecvt-[0-9]+-[0-9]+$`)

// longest bounds the part of a temporary folder's name that says whose it is: file
// systems take names of 255 bytes.
const longest = 100

// owner is what the lock file says of the process that holds its lock.
type owner struct {
	// Pecvt says what the file is; nothing in a folder without it is removed.
	Pecvt string `json:"pecvt"`
	Pid   int    `json:"pid"`
	machine
	// Name is that of the target beside the folder, in whole.
	Name string `json:"name"`
}

const ownerMark = "temporary folder: removed by a later run once no process holds the lock on this file"

// machine tells where a process id means something. Boot is the same in all
// containers of a machine, Pids is that of a container.
type machine struct {
	Host string `json:"host"`
	Boot string `json:"boot,omitempty"`
	Pids string `json:"pids,omitempty"`
}

// NewTemporary makes a folder in dir ("" is the system's place for temporary files)
// for what comes of name. The caller calls Remove when it is done.
//
// It first removes the folders in dir, whoever's result they were for, that killed
// processes left. A process holds a lock (flock) on a file in its folder as long as it
// lives, whatever happens to it and whatever its id, so a lock that can be taken is a
// dead one's; it holds across containers of one kernel. Folders of other machines, whose
// locks a network file system may not show, stay. Where there are no locks, a folder
// goes if no process has its owner's id, and the same ids are seen here.
func NewTemporary(dir, name string) (*Temporary, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	sweep(dir)
	label := name[:min(len(name), longest)]
	for i := 0; ; i++ {
		root := filepath.Join(dir, fmt.Sprintf(".%s.pecvt-%d-%d", strings.ToValidUTF8(label, ""), os.Getpid(), i))
		err := os.Mkdir(root, 0o700)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		if err != nil {
			return nil, err
		}
		t, err := claim(root, name)
		if t != nil || err != nil {
			return t, err
		}
	}
}

// claim makes the new folder root this process's; nil where another process took it
// for a dead one's before it was locked.
func claim(root, name string) (_ *Temporary, err error) {
	path := filepath.Join(root, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) { // swept, and perhaps made anew by another
		return nil, nil
	}
	t := &Temporary{Dir: filepath.Join(root, filesName), root: root, lock: f}
	if err != nil {
		t.Remove()
		return nil, err
	}
	if lockFile(f) == errLocked {
		f.Close()
		return nil, nil
	}
	text, err := json.Marshal(owner{Pecvt: ownerMark, Pid: os.Getpid(), machine: here(), Name: name})
	if err == nil {
		_, err = f.Write(append(text, '\n'))
	}
	if err == nil && !same(f, path) {
		f.Close()
		return nil, nil
	}
	if err == nil {
		err = os.Mkdir(t.Dir, 0o777)
	}
	if err != nil {
		t.Remove()
		return nil, WriteError(path, err)
	}
	return t, nil
}

// same tells whether the open file is the one of that name.
func same(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// Remove removes the folder with what is in it. Nil has none.
func (t *Temporary) Remove() error {
	if t == nil || t.root == "" {
		return nil
	}
	err := clear(t.root, t.lock)
	if err == nil {
		t.root = ""
	}
	return err
}

// clear removes a temporary folder whose lock is held, the lock last: whatever is
// there of it can be told for what it is.
func clear(root string, lock *os.File) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(root, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	if lock == nil {
		return os.Remove(root)
	}
	path := filepath.Join(root, lockName)
	err = os.Remove(path)
	lock.Close()
	if err != nil { // a system that removes no open files
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Without its lock it is nobody's: another's sweep may be faster, and another may
	// have made its own of that name (ErrExist is "not empty" too).
	if err := os.Remove(root); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// sweep removes what killed processes left in a folder. What it cannot remove harms
// nothing but the space that it takes.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && temporaryName.MatchString(e.Name()) {
			sweepOne(filepath.Join(dir, e.Name()))
		}
	}
}

func sweepOne(root string) {
	path := filepath.Join(root, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|noFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		os.Remove(root) // where it is empty: its process did not come further, or is about to make another
		return
	}
	if err != nil {
		return
	}
	defer f.Close()
	locked := lockFile(f)
	if locked == errLocked || !same(f, path) {
		return
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return
	}
	if len(text) == 0 { // killed before a word was written, and nothing else is there
		if entries, err := os.ReadDir(root); err == nil && len(entries) == 1 {
			clear(root, f)
		}
		return
	}
	var o owner
	if json.Unmarshal(text, &o) != nil || o.Pecvt != ownerMark {
		return
	}
	if !o.dead(here(), locked == nil) {
		return
	}
	// The process was killed between the two renames of a replacement, where the
	// system cannot do them in one.
	if old := filepath.Join(root, asideName); exists(old) {
		if target := filepath.Join(filepath.Dir(root), filepath.Base(o.Name)); !exists(target) && os.Rename(old, target) != nil {
			return
		}
	}
	clear(root, f)
}

// dead tells whether the process is known to have ended, seen from a machine; locked
// says that the lock it took could be taken.
func (o owner) dead(now machine, locked bool) bool {
	if !locked {
		return o.Host == now.Host && o.Pids == now.Pids && gone(o.Pid)
	}
	return o.Host == now.Host || o.Boot != "" && o.Boot == now.Boot
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
