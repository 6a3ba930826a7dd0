package convert

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
)

// summed is the writing of a GGUF file, of which sums are taken.
type summed struct {
	path string
	h    *gguf.Header
	to   output
	file *os.File // to, where it is on the local disk
	sums *safetensors.Sums
}

// headed begins a file with a header, and sums it.
func (w *run) headed(to output, h *gguf.Header, header []byte) (_ *summed, err error) {
	ends, err := store.GGUFParts(h, int64(len(header)))
	if err != nil {
		return nil, err
	}
	s := &summed{path: to.Name(), h: h, to: to, sums: safetensors.NewSums(slices.Collect(maps.Values(ends)))}
	s.file, _ = to.(*os.File)
	if u, ok := to.(*sink); ok {
		u.Hold(int64(len(header)))
	}
	if _, err := s.Write(header); err != nil {
		return nil, err
	}
	w.report(int64(len(header)))
	return s, nil
}

// Write appends bytes that nothing is written over.
func (s *summed) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sums.Write(p[:n])
	if err != nil {
		err = fsio.WriteError(s.path, err)
	}
	return n, err
}

// seal writes the header anew, with the sums.
func (s *summed) seal() error {
	text := s.sums.String()
	kv, _ := s.h.Find(store.GGUFSums)
	if old, err := kv.Text(); err != nil || len(old) != len(text) {
		return fmt.Errorf("internal error: %s: sums of %d digits, planned with %d (%v)", s.path, len(text), len(old), err)
	}
	defer s.h.Set(kv) // a plan may be run once more
	s.h.Set(gguf.NewText(store.GGUFSums, text))
	header, err := s.h.Encode()
	if u, ok := s.to.(*sink); ok && err == nil {
		return u.Begin(header)
	}
	if err == nil {
		_, err = s.file.WriteAt(header, 0)
	}
	if err != nil {
		return fsio.WriteError(s.path, err)
	}
	return nil
}

// resum sums a tensor that was written over.
func (s *summed) resum(ctx context.Context, name string) error {
	t, ok := s.h.Tensor(name)
	if !ok {
		return fmt.Errorf("internal error: %s: no tensor %q", s.path, name)
	}
	n, err := t.Bytes()
	if err != nil {
		return err
	}
	header, err := s.h.Encode()
	if err != nil {
		return err
	}
	return s.sums.Resum(ctx, s.file, int64(len(header))+t.Offset+n)
}

// copySource copies a range of the source behind what was written; where blocks of it
// are shared, nothing is read, and the file has no sums.
func (s *summed) copySource(w *run, from string, offset, length int64) (action fsio.Action, err error) {
	in, err := w.folder.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", err
	}
	return in.CopyRange(w.ctx, s.file, at, offset, length, s.sums, w.report)
}
