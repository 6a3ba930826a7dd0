package batch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
)

// The folder of records has two files of its own, which no job's name can have: a lock
// while a batch runs, and the batch's name, by which a worker elsewhere sees that its
// folder is the batch's.
const (
	lockName = ".lock"
	runName  = ".batch"
)

// claim makes the folder of records this batch's until release.
func (p Plan) claim() (release func(), err error) {
	c, err := fsio.Take(filepath.Join(p.Folder, lockName))
	if errors.Is(err, fsio.ErrClaimed) {
		return nil, fmt.Errorf("another batch writes its records to %s, which is %w: wait until that has ended, or name another folder for the records", p.Folder, err)
	}
	if err != nil {
		return nil, err
	}
	if err := fsio.WriteWhole(filepath.Join(p.Folder, runName), []byte(p.Run+"\n")); err != nil {
		return nil, errors.Join(err, c.Release())
	}
	if err := p.dropOtherParts(); err != nil {
		return nil, errors.Join(err, c.Release())
	}
	return func() {
		_ = os.Remove(filepath.Join(p.Folder, runName))
		_ = c.Release()
	}, nil
}

// notReady begins what a worker says that no other try would change.
const notReady = "this worker cannot do the batch's work: "

// settle makes this process ready for a task of a batch: it must be of the same version,
// and work where the batch was begun, on the same files, since paths are read from there.
func (p *process) settle(b Batch, w Worker) error {
	host, _ := os.Hostname()
	if w.Version != b.Version {
		return fmt.Errorf(notReady+"on %s it is pecvt %s, the batch was begun by %s: expected one version", host, w.Version, b.Version)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if here, err := os.Getwd(); err != nil || here != b.Dir {
		if p.inside > 1 {
			return fmt.Errorf(notReady+"on %s it is busy with another batch in %s: expected workers of the batch's own", host, here)
		}
		if err := os.Chdir(b.Dir); err != nil {
			return fmt.Errorf(notReady+"on %s there is no folder %s, where the batch was begun: expected a folder that all workers share: %w", host, b.Dir, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(b.Folder, runName))
	if err != nil || strings.TrimSpace(string(raw)) != b.Run {
		return fmt.Errorf(notReady+"on %s the records of the batch are not in %s: expected a folder that all workers share", host, filepath.Join(b.Dir, b.Folder))
	}
	return nil
}
