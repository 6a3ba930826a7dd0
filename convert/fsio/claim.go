package fsio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrClaimed says that another process, or another user of this one, has a file.
var ErrClaimed = errors.New("in use")

// Claim is a file that says to others of its path that somebody works there.
type Claim struct {
	path string
	file *os.File
}

// claimMark says what the file is, to whoever finds it.
const claimMark = "in use while a process holds the lock on this file"

// Take takes the lock on the file of a path, which is made where it is not there, and
// does not wait: an error that satisfies errors.Is(err, ErrClaimed) names the process
// that has it, where that said so. The system takes the lock away when the process
// ends. Where a file system has no locks, everybody gets it.
func Take(path string) (*Claim, error) {
	for range 100 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
		if err != nil {
			return nil, err
		}
		if lockFile(f) == errLocked {
			err := fmt.Errorf("%w%s", ErrClaimed, claimant(f))
			f.Close()
			return nil, err
		}
		if !same(f, path) { // it was removed by the one that had it
			f.Close()
			continue
		}
		text, err := json.Marshal(owner{Pecvt: claimMark, Pid: os.Getpid(), machine: here()})
		if err == nil {
			err = f.Truncate(0)
		}
		if err == nil {
			_, err = f.WriteAt(append(text, '\n'), 0)
		}
		if err != nil {
			f.Close()
			return nil, WriteError(path, err)
		}
		return &Claim{path, f}, nil
	}
	return nil, fmt.Errorf("%s: %w: others make and remove it", path, ErrClaimed)
}

// claimant says who wrote the file.
func claimant(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	var o owner
	if err != nil || json.Unmarshal(text, &o) != nil || o.Pecvt != claimMark {
		return ""
	}
	if now := here(); o.Host != now.Host {
		return fmt.Sprintf(" by process %d of machine %q", o.Pid, o.Host)
	}
	return fmt.Sprintf(" by process %d", o.Pid)
}

// Release removes the file and gives the lock back. Nil has none.
func (c *Claim) Release() error {
	if c == nil || c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	err := os.Remove(c.path)
	f.Close()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a system that removes no open files
		err = os.Remove(c.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
