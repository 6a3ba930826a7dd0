package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pecvt/pecvt/convert/fsio"
)

const (
	// partPatience bounds a request that sends a part or a small object.
	partPatience = 2 * time.Minute
	// sentAtOnce is how many parts of an object are sent at once, memoryOfParts how many
	// bytes they hold together where that is fewer.
	sentAtOnce    = 4
	memoryOfParts = 256 << 20
	// maxParts is how many parts an object may have (S3's limit).
	maxParts = 10_000
)

// partOf is the length of the parts that an object of a size is sent in.
func partOf(size int64) int64 {
	const step = 1 << 20
	n := max(int64(partBytes), (size+maxParts-1)/maxParts)
	return (n + step - 1) / step * step
}

// grace is how long a request that makes something appear may go on when its run has
// ended: whoever tidies up must know what came of it.
const grace = 5 * time.Second

// outliving is a context that ends so much later than another.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// Upload is an object under way, written from front to back. It holds at most five parts
// in memory: 40 MiB, more of an object of 80 GB and larger. Nothing of it can be seen
// before Close, which is an error where the size is another than it was begun with.
type Upload struct {
	t      *Target
	name   string
	size   int64
	up     upload // nil of a small object
	group  *errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once

	buffer []byte
	n      int // the next part
	at     int64
	hold   int64    // the first bytes, which are sent last
	held   [][]byte // their parts
}

// Hold keeps the first bytes, and what is of one part with them, in memory until Close,
// so that Begin can change them. It is called before anything is written.
func (u *Upload) Hold(n int64) { u.hold = n }

// Begin writes the object's first bytes, as many as are held at most, anew.
func (u *Upload) Begin(p []byte) error {
	if int64(len(p)) > u.hold || int64(len(p)) > u.at {
		return fmt.Errorf("%s: the first %d bytes are written anew, %d are held of %d", u.Name(), len(p), u.hold, u.at)
	}
	for _, part := range append(slices.Clone(u.held), u.buffer) {
		p = p[copy(part, p):]
	}
	return nil
}

// Create begins an object of the result.
func (t *Target) Create(name string, size int64) (*Upload, error) {
	u := &Upload{t: t, name: name, size: size}
	length := min(size, partBytes)
	if size > partBytes {
		var err error
		if u.up, err = t.begin(name, size); err != nil {
			return nil, err
		}
		length = u.up.bytes()
	}
	var ctx context.Context
	ctx, u.cancel = context.WithCancel(t.ctx)
	u.group, u.ctx = errgroup.WithContext(ctx)
	if u.up != nil {
		u.group.SetLimit(max(1, min(u.up.atOnce(), int(memoryOfParts/length))))
	}
	u.buffer = make([]byte, 0, length)
	return u, nil
}

// Name is the object's URL without query.
func (u *Upload) Name() string { return u.t.Path(u.name) }

// Write implements io.Writer.
func (u *Upload) Write(p []byte) (int, error) {
	if u.at+int64(len(p)) > u.size {
		return 0, fmt.Errorf("%s: more bytes than the %d that were planned", u.Name(), u.size)
	}
	done := 0
	for done < len(p) {
		n := copy(u.buffer[len(u.buffer):cap(u.buffer)], p[done:])
		u.buffer = u.buffer[:len(u.buffer)+n]
		done, u.at = done+n, u.at+int64(n)
		if u.up != nil && len(u.buffer) == cap(u.buffer) && u.at < u.size {
			if err := u.flush(); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// flush has a part sent.
func (u *Upload) flush() error {
	if err := context.Cause(u.ctx); err != nil { // a part failed: Close says how
		return fmt.Errorf("write %s: %w", u.Name(), err)
	}
	part, n := u.buffer, u.n
	u.buffer, u.n = make([]byte, 0, cap(part)), n+1
	if int64(n)*int64(cap(part)) < u.hold && u.at < u.size {
		u.held = append(u.held, part)
		return nil
	}
	u.send(n, part)
	return nil
}

func (u *Upload) send(n int, part []byte) {
	u.group.Go(func() error {
		if r, ok := u.up.(resumable); ok && r.has(n, part) {
			u.t.kept.Add(int64(len(part)))
			return nil
		}
		err := u.t.again(u.ctx, "write "+u.Name(), func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, partPatience)
			defer cancel()
			return u.up.part(ctx, n, part)
		})
		if err == nil {
			u.t.sent.Add(int64(len(part)))
		}
		return err
	})
}

// Failed is what went wrong with a part that was sent, nil where nothing did. It waits for
// those under way: nothing can be written after it.
func (u *Upload) Failed() error {
	return u.group.Wait()
}

// Close sends the rest and makes the object appear. After an error nothing of it is
// there, but for what Abort leaves.
func (u *Upload) Close() (err error) {
	defer func() {
		if err != nil {
			u.Abort()
		}
		u.cancel()
	}()
	if u.at != u.size {
		if werr := u.group.Wait(); werr != nil { // why whoever wrote stopped
			return werr
		}
		return fmt.Errorf("%s: %d bytes were written, planned were %d", u.Name(), u.at, u.size)
	}
	if u.up == nil {
		u.once.Do(func() {})
		return u.t.Put(u.name, u.buffer)
	}
	for n, part := range u.held {
		u.send(n, part)
	}
	err = u.flush()
	if werr := u.group.Wait(); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	tried := false
	err = u.t.appear("finish "+u.Name(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, partPatience)
		defer cancel()
		err := u.up.finish(ctx)
		if err != nil && tried { // it may be there, and only the answer was lost
			if e, serr := u.t.folder.driver.(stater).stat(ctx, u.name); serr == nil && e.Size == u.size && time.Since(e.ModTime) < time.Hour {
				return nil
			}
		}
		tried = true
		return err
	})
	if err != nil {
		return err
	}
	u.once.Do(func() {})
	u.t.forget(u.name)
	return u.t.note(u.t.ctx, u.name, u.size)
}

// Abort ends an upload that cannot be closed. Parts that were sent stay for a later run of
// the plan where the service tells what it has of them, unless [Target.Spoil] is called
// before the target is closed. After Close it does nothing.
func (u *Upload) Abort() {
	u.once.Do(func() {
		u.cancel()
		u.group.Wait()
		if u.up == nil || u.t.leaves(u.up) {
			return
		}
		u.t.forget(u.name)
		end(u.t.ctx, u.up)
	})
}

// CopyFile makes an object a file of a folder: on the server where both are of one
// service and server is set, else through this process, after which see, where it is not
// nil, has seen its bytes. It tells which way it went: "copied on the server" or
// "copied".
func (t *Target) CopyFile(f *Folder, name, as string, server bool, see io.Writer, progress fsio.Progress) (how string, err error) {
	file, err := f.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if server && file.away != nil {
		done := int64(0)
		err := t.appear("copy "+file.Path+" to "+t.Path(as), func(ctx context.Context) error {
			return t.writer.copy(ctx, f.driver, file.away.entry, as, func(n int64) {
				done += n
				if progress != nil {
					progress(n)
				}
			})
		})
		if err == nil {
			t.copied.Add(file.size)
			return CopiedOnServer, t.note(t.ctx, as, file.size)
		}
		if !errors.Is(err, errors.ErrUnsupported) || done > 0 {
			return "", err
		}
	}
	out, err := t.Create(as, file.size)
	if err != nil {
		return "", err
	}
	defer out.Abort()
	if _, err := io.Copy(&told{out, see, progress}, io.NewSectionReader(file.Reader(), 0, file.size)); err != nil {
		if failed := out.Failed(); failed != nil { // it says more
			err = failed
		}
		return "", err
	}
	return string(fsio.Copied), out.Close()
}

// CopiedOnServer is how an object came about whose bytes nobody read here.
const CopiedOnServer = "copied on the server"

// told writes what others see too.
type told struct {
	to       io.Writer
	see      io.Writer
	progress fsio.Progress
}

func (w *told) Write(p []byte) (int, error) {
	if w.see != nil {
		w.see.Write(p)
	}
	n, err := w.to.Write(p)
	if w.progress != nil {
		w.progress(int64(n))
	}
	return n, err
}
