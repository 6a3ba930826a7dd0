package place

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// tries bounds how often a request is made without getting on, patience the time
	// that all of them take together.
	tries    = 6
	patience = 2 * time.Minute
	// stall ends a request of which nothing comes for so long.
	stall = 30 * time.Second
)

// firstWait is the wait before the second try; tests make it shorter.
var firstWait = 200 * time.Millisecond

var said atomic.Pointer[func(string)]

// Say has f told when a request is made again, and why. It is for the program, before
// anything is opened; nil is nobody.
func Say(f func(text string)) {
	if f == nil {
		said.Store(nil)
		return
	}
	said.Store(&f)
}

// traffic counts what was asked for.
type traffic struct {
	requests, bytes, repeated atomic.Int64
	worked                    atomic.Bool
}

// Traffic is what a folder's requests amounted to.
type Traffic struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
	// Repeated counts the requests among them that were made again.
	Repeated int64 `json:"repeated,omitempty"`
}

// Traffic counts the folder's requests and the bytes of files that came. It is zero for
// a folder of the local disk.
func (f *Folder) Traffic() Traffic {
	return Traffic{f.requests.Load(), f.bytes.Load(), f.repeated.Load()}
}

// try makes a request until it works, may not work, or was made too often.
func (f *Folder) try(what string, request func(context.Context) error) error {
	return f.tryIn(f.ctx, what, func(ctx context.Context) (bool, error) { return false, request(ctx) })
}

// tryIn is try in a context, for a request that tells whether it got on.
func (f *Folder) tryIn(ctx context.Context, what string, request func(context.Context) (gotOn bool, err error)) error {
	begin, wait := time.Now(), firstWait
	for n := 1; ; n++ {
		gotOn, err := request(ctx)
		if err == nil {
			f.worked.Store(true)
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%s: %w", what, cause)
		}
		if gotOn {
			n, wait = 1, firstWait
		}
		var fail *failure
		again := errors.As(err, &fail) && fail.again
		if again && fail.refused && !f.worked.Load() { // a wrong endpoint, rather
			again = n < 2
		}
		switch {
		case !again:
			return f.describe(what, err)
		case n >= tries:
			return fmt.Errorf("%s: %w after %d tries: %w", what, ErrGivenUp, n, err)
		case time.Since(begin) > patience:
			return fmt.Errorf("%s: %w after %s: %w", what, ErrGivenUp, patience, err)
		}
		f.repeated.Add(1)
		if say := said.Load(); say != nil {
			(*say)(fmt.Sprintf("%s: %v: asked again", what, err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait *= 2
	}
}

// describe says what can be done about a request that a service refused.
func (f *Folder) describe(what string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w; credentials are read from %s", what, err, f.scheme.credentials)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// fetch reads bytes of an object, in one request where nothing goes wrong.
func (f *Folder) fetch(ctx context.Context, e Entry, p []byte, offset int64) error {
	done := 0
	return f.tryIn(ctx, "read "+f.Path(e.Name), func(ctx context.Context) (bool, error) {
		f.requests.Add(1)
		n, err := f.once(ctx, e, p[done:], offset+int64(done))
		done += n
		f.bytes.Add(int64(n))
		return n > 0, err
	})
}

// once makes one request and reads its answer as far as it goes.
func (f *Folder) once(ctx context.Context, e Entry, p []byte, offset int64) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	body, err := f.driver.read(ctx, e, offset, int64(len(p)))
	if err != nil {
		return 0, stalled(ctx, err)
	}
	defer body.Close()
	done := 0
	for done < len(p) {
		n, err := body.Read(p[done:])
		done += n
		watch.Reset(stall)
		if err == nil || done == len(p) {
			continue
		}
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the answer ends after %d of %d bytes", done, len(p))
		}
		return done, &failure{err: stalled(ctx, err), again: true}
	}
	return done, nil
}

var errStalled = errors.New("nothing came for " + stall.String())

// stalled makes a request that was ended because nothing came one that may be made
// again.
func stalled(ctx context.Context, err error) error {
	if context.Cause(ctx) == errStalled {
		return &failure{err: errStalled, again: true}
	}
	return err
}

// Add is the sum of two; nil is nothing.
func (t *Traffic) Add(o *Traffic) *Traffic {
	if t == nil || o == nil {
		return cmp.Or(t, o)
	}
	return &Traffic{t.Requests + o.Requests, t.Bytes + o.Bytes, t.Repeated + o.Repeated}
}
