package place

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"
)

// Entry is an object of a folder, or a folder in it.
type Entry struct {
	Name string // in the folder, with slashes
	Size int64
	Dir  bool
	// ModTime is when it was written, zero where that is not known.
	ModTime time.Time
	// Version tells the object from others of its name, earlier or later: an ETag, a
	// generation or a digest.
	Version string
	// MD5, SHA256 and Git (SHA-1, as git has it of a file) are digests of the whole
	// object, where the service gives them.
	MD5, SHA256, Git []byte
}

// driver is what a kind of place does for a folder.
type driver interface {
	// list gives what lies in a folder, "" for the place's own; sub-folders as such.
	list(ctx context.Context, folder string) ([]Entry, error)
	// read gives length > 0 bytes of an entry, from offset on, of its version and no
	// other. Its errors, and those of the body, are failures.
	read(ctx context.Context, e Entry, offset, length int64) (io.ReadCloser, error)
	// cache is where the folder's files go that are fetched whole.
	cache(f *Folder, base string, entries []Entry) (*staging, error)
	close() error
}

// ErrGivenUp is the error of a request that was repeated often or long enough. What
// was wrong may pass.
var ErrGivenUp = errors.New("given up")

// ErrChanged is of an object that was replaced after its folder was listed.
var ErrChanged = errors.New("it changed after it was listed: run again when nobody writes to it")

// failure says what a request's error amounts to.
type failure struct {
	err error
	// kind is nil where it is none of fs.ErrNotExist, fs.ErrPermission and ErrChanged.
	kind error
	// again says that the same request may work later, refused that no connection was
	// made at all.
	again, refused bool
}

func (f *failure) Error() string {
	if f.kind == ErrChanged {
		return fmt.Sprintf("%v (%v)", f.kind, f.err)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() []error {
	if f.kind == nil {
		return []error{f.err}
	}
	return []error{f.kind, f.err}
}

// byStatus is the failure that an HTTP status stands for, with what the service says.
func byStatus(status int, says string) *failure {
	f := &failure{err: fmt.Errorf("answered %d %s", status, cmp.Or(says, http.StatusText(status)))}
	switch {
	case status == 404:
		f.kind = fs.ErrNotExist
	case status == 401 || status == 403:
		f.kind = fs.ErrPermission
	case status == 412, status == 416: // its end is nearer than it was
		f.kind = ErrChanged
	case status == 507: // the service is full
	case status == 408 || status == 409 || status == 429 || status >= 500 && status != 501: // 409: another request is under way
		f.again = true
	}
	return f
}

// changed is the failure of an answer that is of another object.
func changed(format string, args ...any) *failure {
	return &failure{err: fmt.Errorf(format, args...), kind: ErrChanged}
}
