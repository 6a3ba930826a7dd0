package place

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	// headBytes is what the first read of a file's beginning fetches at least: most
	// headers are shorter, and a second request takes longer than these bytes.
	headBytes = 64 << 10
	// partBytes is how much a request of many bytes asks for, partsAtOnce how many of
	// them are under way.
	partBytes   = 8 << 20
	partsAtOnce = 8
)

// away reads an object by range.
type away struct {
	folder *Folder
	entry  Entry

	mu   sync.Mutex
	head []byte // the file's first bytes, once they were asked for
	// end is where the last read ended, block the last piece that was read, run how
	// many pieces one after the other led to it.
	end   int64
	read  bool
	block int64
	run   int
}

// ReadAt implements io.ReaderAt.
func (a *away) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("%s: read at %d: no such byte", a.path(), offset)
	}
	rest := a.entry.Size - offset
	if rest <= 0 {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	short := int64(len(p)) > rest
	if short {
		p = p[:rest]
	}
	if err := a.fill(p, offset); err != nil {
		return 0, err
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

func (a *away) path() string { return a.folder.Path(a.entry.Name) }

// fill reads bytes that the object has.
func (a *away) fill(p []byte, offset int64) error {
	if len(p) == 0 {
		return nil
	}
	got, err := a.fromHead(p, offset)
	if err != nil {
		return err
	}
	p, offset = p[got:], offset+int64(got)
	if len(p) == 0 {
		return nil
	}
	near := a.moves(offset, int64(len(p)))
	switch {
	case a.folder.exact:
	case len(p) >= 2*blockBytes:
		return a.wide(a.folder.ctx, p, offset)
	case near:
		return a.fromBlocks(p, offset)
	}
	return a.folder.fetch(a.folder.ctx, a.entry, p, offset)
}

// fromHead reads what of the bytes lies in the file's head, which is fetched with the
// first read of its beginning.
func (a *away) fromHead(p []byte, offset int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.head == nil && offset == 0 {
		head := make([]byte, min(headBytes, a.entry.Size))
		if err := a.folder.fetch(a.folder.ctx, a.entry, head, 0); err != nil {
			return 0, err
		}
		a.head = head
	}
	if offset >= int64(len(a.head)) {
		return 0, nil
	}
	return copy(p, a.head[offset:]), nil
}

// moves takes note of a read and tells whether it is near the one before.
func (a *away) moves(offset, n int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	near := a.read && offset >= a.end-2*blockBytes && offset <= a.end+blockBytes
	a.end, a.read = offset+n, true
	return near
}

// wide reads many bytes in parts, several at once.
func (a *away) wide(ctx context.Context, p []byte, offset int64) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAtOnce)
	for at := 0; at < len(p); at += partBytes {
		part := p[at:min(at+partBytes, len(p))]
		g.Go(func() error { return a.folder.fetch(ctx, a.entry, part, offset+int64(at)) })
	}
	return g.Wait()
}

// fromBlocks reads through the folder's pieces, and has the next ones fetched where
// the file is read from front to back.
func (a *away) fromBlocks(p []byte, offset int64) error {
	for len(p) > 0 {
		i := offset / blockBytes
		ahead := a.ahead(i)
		data, err := a.folder.cache.get(a, i, ahead)
		if err != nil {
			return err
		}
		n := copy(p, data[offset-i*blockBytes:])
		p, offset = p[n:], offset+int64(n)
	}
	return nil
}

// ahead says how many pieces behind one are worth fetching.
func (a *away) ahead(i int64) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case i == a.block+1:
		a.block = i
		a.run++
	case i == a.block || i == a.block-1:
	default:
		a.block, a.run = i, 0
	}
	return min(2*a.run, maxAhead)
}
