package safetensors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Writer writes one safetensors file tensor by tensor, in the order of the infos
// that it was made with.
type Writer struct {
	name  string // of the file, for errors
	w     io.Writer
	file  *os.File // owned, or nil
	infos []Info
	next  int
	buf   []byte // of WriteTensorFrom
	sums  *Sums  // of all that is written
	err   error  // the first failure: nothing can follow it
}

// NewWriter writes the header to w. The tensors of infos must follow in their
// order, then Close.
func NewWriter(w io.Writer, infos []Info, metadata map[string]string) (*Writer, error) {
	name := "output"
	if n, ok := w.(interface{ Name() string }); ok {
		name = n.Name()
	}
	infos, err := Layout(infos)
	if err != nil {
		return nil, err
	}
	header, err := Header(infos, metadata)
	if err != nil {
		return nil, err
	}
	ends := []int64{int64(len(header))}
	for _, info := range infos {
		ends = append(ends, int64(len(header))+info.End)
	}
	wr := &Writer{name: name, w: w, infos: infos, sums: NewSums(ends)}
	return wr, wr.write(header)
}

// Sums gives the sums of what was written, once all tensors are.
func (w *Writer) Sums() *Sums { return w.sums }

// Create is [NewWriter] for a new file, which Close closes. An existing file is
// an error that satisfies errors.Is(err, fs.ErrExist).
func Create(path string, infos []Info, metadata map[string]string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	w, err := NewWriter(file, infos, metadata)
	if err != nil {
		file.Close()
		os.Remove(path)
		return nil, err
	}
	w.file = file
	return w, nil
}

// WriteTensor writes the data of the next tensor.
func (w *Writer) WriteTensor(name string, data []byte) error {
	info, err := w.turn(name)
	if err != nil {
		return err
	}
	if int64(len(data)) != info.Bytes() {
		return w.fail(name, fmt.Errorf("got %d bytes, shape %v of %s needs %d", len(data), info.Shape, info.DType, info.Bytes()))
	}
	w.next++
	return w.write(data)
}

// streamBuffer gathers what a reader gives in small pieces, such as single rows,
// into large writes.
const streamBuffer = 1 << 20

// WriteTensorFrom writes the data of the next tensor from r, which must hold
// exactly that. It holds one buffer of it in memory.
func (w *Writer) WriteTensorFrom(name string, r io.Reader) error {
	info, err := w.turn(name)
	if err != nil {
		return err
	}
	if w.buf == nil {
		w.buf = make([]byte, streamBuffer)
	}
	size := info.Bytes()
	for at := int64(0); at < size; {
		n, err := io.ReadFull(r, w.buf[:min(streamBuffer, size-at)])
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("the data ends after %d bytes, shape %v of %s needs %d", at, info.Shape, info.DType, size)
		}
		if err != nil {
			return w.fail(name, err)
		}
		if err := w.write(w.buf[:n]); err != nil {
			return err
		}
	}
	switch n, err := io.ReadFull(r, w.buf[:1]); {
	case n > 0:
		return w.fail(name, fmt.Errorf("more data than the %d bytes that shape %v of %s needs", size, info.Shape, info.DType))
	case err != io.EOF:
		return w.fail(name, err)
	}
	w.next++
	return nil
}

// CopyTensor writes the data of the next tensor from that of a stored one of type
// d; where both lie in files, from one to the other.
func (w *Writer) CopyTensor(ctx context.Context, name string, d tensor.DType, from *io.SectionReader) error {
	info, err := w.turn(name)
	if err != nil {
		return err
	}
	if from.Size() != info.Bytes() || d != info.DType {
		return w.fail(name, fmt.Errorf("%s of %d bytes cannot be written as %s of %d", d, from.Size(), info.DType, info.Bytes()))
	}
	outer, offset, size := from.Outer()
	src, stored := outer.(*os.File)
	dst, ok := w.w.(*os.File)
	if !ok || !stored {
		return w.WriteTensorFrom(name, from)
	}
	if err := fsio.CopyRange(ctx, dst, src, offset, size, w.sums, nil); err != nil {
		w.err = fmt.Errorf("safetensors: tensor %q: %w", name, err)
		return w.err
	}
	w.next++
	return nil
}

// turn checks that it is the turn of the tensor.
func (w *Writer) turn(name string) (Info, error) {
	if w.err != nil {
		return Info{}, w.err
	}
	if w.next == len(w.infos) {
		return Info{}, w.fail(name, errors.New("all tensors have been written"))
	}
	if info := w.infos[w.next]; info.Name != name {
		return Info{}, w.fail(name, fmt.Errorf("it is the turn of %q", info.Name))
	}
	return w.infos[w.next], nil
}

func (w *Writer) fail(name string, err error) error {
	w.err = fmt.Errorf("safetensors: write %s: tensor %q: %w", w.name, name, err)
	return w.err
}

func (w *Writer) write(p []byte) error {
	w.sums.Write(p)
	n, err := w.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("safetensors: %w", fsio.WriteError(w.name, err))
	}
	return w.err
}

// Close checks that every tensor has been written and closes a file that Create
// made; after a failure it removes that file. It gives the first error of the
// Writer.
func (w *Writer) Close() error {
	if w.err == nil && w.next < len(w.infos) {
		w.fail(w.infos[w.next].Name, fmt.Errorf("not written, nor the %d tensors after it", len(w.infos)-w.next-1))
	}
	if w.file == nil {
		return w.err
	}
	if err := w.file.Close(); err != nil && w.err == nil {
		w.err = fmt.Errorf("safetensors: %w", fsio.WriteError(w.name, err))
	}
	if w.err != nil {
		os.Remove(w.file.Name())
	}
	w.file = nil
	return w.err
}
