package arch

import (
	"io"
	"io/fs"
	"time"
)

// walkPiece bounds what Walk hands out at a time.
const walkPiece = 4 << 20

// gather fills out with the bytes of a tensor from byte begin on, row by row from
// where they lie.
func (m *Model) gather(e entry, out []byte, begin int64) error {
	size := e.info.Bytes()
	if size == 0 || len(out) == 0 {
		return nil
	}
	row := size / e.info.Shape[0]
	for len(out) > 0 {
		at := e.order.Row(m.Sizes, begin/row)*row + begin%row
		n := min(row-begin%row, int64(len(out)))
		raw, err := m.file.Read(e.name, at, at+n)
		if err != nil {
			return err
		}
		copy(out, raw)
		out, begin = out[n:], begin+n
	}
	return nil
}

// rows reads a tensor in the family's order.
type rows struct {
	m *Model
	e entry
}

func (r rows) ReadAt(p []byte, at int64) (int, error) {
	n := min(int64(len(p)), r.e.info.Bytes()-at)
	if n <= 0 {
		return 0, io.EOF
	}
	if err := r.m.gather(r.e, p[:n], at); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// Walk calls visit for the data of a tensor piece by piece, in the family's order.
func (m *Model) Walk(name string, visit func(offset int64, piece []byte) error) error {
	e, err := m.entry(name)
	if err != nil {
		return err
	}
	_, unit := e.info.DType.Unit()
	step, size := int64(walkPiece/unit*unit), e.info.Bytes()
	for at := int64(0); at < size; at += step {
		end := min(at+step, size)
		piece, err := m.Read(name, at, end)
		if err != nil {
			return err
		}
		err = visit(at, piece)
		m.released(e, at, end)
		if err != nil {
			return err
		}
	}
	return nil
}

// released gives back what a piece was read from: its own place, or all of a
// tensor whose rows lie elsewhere, at its end.
func (m *Model) released(e entry, begin, end int64) {
	offset, n, ok := m.file.Place(e.name)
	switch {
	case !ok:
	case e.order == AsIs:
		m.file.ReleaseRange(offset+begin, end-begin)
	case end == n:
		m.file.ReleaseRange(offset, n)
	}
}

// memoryFile is an open file of memory.
type memoryFile struct {
	io.Reader
	name string
	size int64
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Size() int64                { return f.size }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }
