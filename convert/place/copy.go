package place

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pecvt/pecvt/convert/fsio"
)

// Copy places a file of the folder at the new name dst of the local disk as a file of its
// own: from the local disk as [fsio.Clone] does, from elsewhere in parts, several at once,
// as which see, where it is not nil, is shown them in their order.
// After an error dst does not exist, unless it did before.
func (f *Folder) Copy(ctx context.Context, name, dst string, see io.Writer, progress fsio.Progress) (fsio.Action, error) {
	if f.local {
		return fsio.Clone(ctx, f.Path(name), dst, see, progress)
	}
	file, err := f.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	out, err := os.OpenFile(dst, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	action, err := file.CopyRange(ctx, out, 0, 0, file.size, see, progress)
	if cerr := out.Close(); err == nil && cerr != nil {
		err = fsio.WriteError(dst, cerr)
	}
	if err != nil {
		os.Remove(dst)
		return "", err
	}
	return action, nil
}

// CopyRange writes length bytes of the file, from offset on, to dst from position at on,
// and leaves dst's position behind them: from the local disk as [fsio.ShareRange] does,
// from elsewhere in parts, several at once. See, where it is not nil, is shown the bytes
// in their order, unless blocks are shared.
func (f *File) CopyRange(ctx context.Context, dst *os.File, at, offset, length int64, see io.Writer, progress fsio.Progress) (fsio.Action, error) {
	if f.file != nil {
		return fsio.ShareRange(ctx, dst, at, f.file, offset, length, see, progress)
	}
	if offset < 0 || length < 0 || offset+length > f.size {
		return "", fmt.Errorf("%s: %d bytes from %d on of %d: no such bytes", f.Path, length, offset, f.size)
	}
	if err := f.away.copy(ctx, dst, at, offset, length, nil, see, progress); err != nil {
		return "", err
	}
	if _, err := dst.Seek(at+length, io.SeekStart); err != nil {
		return "", fsio.WriteError(dst.Name(), err)
	}
	return fsio.Copied, nil
}

// partBuffers are those of parts under way.
var partBuffers = sync.Pool{New: func() any { b := make([]byte, partBytes); return &b }}

// copy writes parts as they come, each where it belongs. Those that are there already,
// where kept is not nil, are passed over, and those that come are noted in its list. See, where
// it is not nil, is shown the parts in their order.
func (a *away) copy(ctx context.Context, dst *os.File, at, offset, length int64, kept *parts, see io.Writer, progress fsio.Progress) error {
	f := a.folder
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.ctx, func() { cancel(context.Cause(f.ctx)) })()
	if st, err := dst.Stat(); err == nil && st.Size() < at+length {
		if err := dst.Truncate(at + length); err != nil {
			return fsio.WriteError(dst.Name(), err)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAtOnce)
	var mu sync.Mutex
	turn := make(chan struct{}) // of the next part to be seen; parts begin in their order, so that it is under way
	close(turn)
	for done := int64(0); done < length; done += partBytes {
		if kept != nil && kept.has(done/partBytes) {
			continue
		}
		mine, next := turn, make(chan struct{})
		turn = next
		g.Go(func() error {
			buffer := partBuffers.Get().(*[]byte)
			defer partBuffers.Put(buffer)
			part := (*buffer)[:min(partBytes, length-done)]
			if err := f.fetch(ctx, a.entry, part, offset+done); err != nil {
				return err
			}
			write := func() error {
				mu.Lock() // a file system writes one part at a time, and others would turn in circles
				defer mu.Unlock()
				if _, err := dst.WriteAt(part, at+done); err != nil {
					return fsio.WriteError(dst.Name(), err)
				}
				if kept != nil && kept.list != nil {
					if err := kept.add(done / partBytes); err != nil {
						return err
					}
				}
				if progress != nil {
					progress(int64(len(part)))
				}
				return nil
			}
			if err := write(); err != nil || see == nil {
				return err
			}
			select {
			case <-mine:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if _, err := see.Write(part); err != nil {
				return err
			}
			close(next)
			return nil
		})
	}
	return g.Wait()
}
