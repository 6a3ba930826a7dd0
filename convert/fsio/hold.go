package fsio

import (
	"context"
	"os"
	"time"
)

// Hold takes the lock on the file of a path, which is made where it is not there, and
// waits while another process has it: wait, where not nil, is called once before. Where
// a file system has no locks, nothing is held. The file stays.
func Hold(ctx context.Context, path string, wait func()) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for lockFile(f) == errLocked {
		if wait != nil {
			wait()
			wait = nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return func() { f.Close() }, nil
}
