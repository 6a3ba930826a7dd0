package fsio

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Own makes a folder in dir for what only this process needs,
// .pecvt-PURPOSE-HOST-PID-…, and removes those of the purpose that processes of this
// machine left behind when they were killed. The caller removes it.
func Own(dir, purpose string) (string, error) {
	name := ".pecvt-" + purpose + "-" + host() + "-"
	left, _ := filepath.Glob(filepath.Join(escaped(dir), name+"*"))
	for _, path := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), name), "-")
		if n, err := strconv.Atoi(pid); err == nil && gone(n) {
			os.RemoveAll(path) // where it stays, it harms nothing but the space it takes
		}
	}
	return os.MkdirTemp(dir, name+strconv.Itoa(os.Getpid())+"-")
}

// host is this machine's name, in letters and digits: another's processes are not seen
// here, and may be at work in the same folder.
func host() string {
	name, _ := os.Hostname()
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, name)
}

// escaped is a path as a pattern that matches it alone.
func escaped(path string) string {
	if filepath.Separator == '\\' { // there patterns have no escapes; names have no * and ?
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// gone tells whether no process has that id. What cannot be told is not gone.
func gone(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	defer p.Release()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
