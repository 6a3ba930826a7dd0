package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// tensors writes one tensor file: tensors that stay are copied in the kernel
// where it can, edited ones are streamed row run by row run.
func (w *run) tensors(name string, to output) (err error) {
	var g *tensorFile
	for i := range w.plan.tensors {
		if w.plan.tensors[i].name == name {
			g = &w.plan.tensors[i]
		}
	}
	if g == nil {
		return fmt.Errorf("internal error: %s is planned without tensors", name)
	}
	out, err := safetensors.NewWriter(to, g.infos, g.metadata)
	if err != nil {
		return err
	}
	for _, info := range g.infos {
		if e := g.edits[info.Name]; e != nil {
			r := &rowReader{ctx: w.ctx, section: w.section, pieces: e.Pieces, report: w.report}
			if err := out.WriteTensorFrom(info.Name, r); err != nil {
				return err
			}
			continue
		}
		if t := g.added[info.Name]; t != nil {
			if err := w.added(out, info, t); err != nil {
				return err
			}
			continue
		}
		from, section, err := w.section(info.Name)
		if err != nil {
			return err
		}
		if err := out.CopyTensor(w.ctx, info.Name, from.DType, section); err != nil {
			return err
		}
		w.report(info.Bytes())
	}
	if err := out.Close(); err != nil {
		return err
	}
	w.sums[name] = out.Sums().String()
	return nil
}

// added writes a tensor that the rewrite brings.
func (w *run) added(out *safetensors.Writer, info safetensors.Info, t *rewrite.Tensor) error {
	if t.Folds != nil {
		return w.folded(out, t)
	}
	w.report(info.Bytes())
	if t.Values == nil {
		return out.WriteTensorFrom(info.Name, io.LimitReader(zeros{}, info.Bytes()))
	}
	raw := make([]byte, info.Bytes())
	if err := tensor.Encode64(raw, t.Values, t.DType); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return out.WriteTensor(info.Name, raw)
}

// rowReader reads runs of rows one after the other, straight from the files, so
// that no tensor is held in memory.
type rowReader struct {
	ctx     context.Context
	section func(name string) (store.Info, *io.SectionReader, error)
	pieces  []rewrite.Piece
	report  func(int64)
	// current is the rest of the piece being read; zero bytes if left counts.
	current io.Reader
}

// Read implements io.Reader.
func (r *rowReader) Read(p []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if r.current == nil {
			if len(r.pieces) == 0 {
				return 0, io.EOF
			}
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.current.Read(p)
		if err == io.EOF {
			r.current, err = nil, nil
		}
		if n > 0 || err != nil {
			r.report(int64(n))
			return n, err
		}
	}
}

func (r *rowReader) next() error {
	piece := r.pieces[0]
	r.pieces = r.pieces[1:]
	info, whole, err := r.section(piece.Tensor)
	if err != nil {
		return err
	}
	from, to, err := tensor.RowBytes(info.DType, info.Shape, piece.Rows.Begin, piece.Rows.End)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", piece.Tensor, err)
	}
	if piece.Zero {
		r.current = io.LimitReader(zeros{}, to-from)
		return nil
	}
	r.current = io.NewSectionReader(whole, from, to-from)
	if piece.Negate {
		r.current = &negating{from: r.current, dtype: info.DType}
	}
	return nil
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// negating flips the sign of every element.
type negating struct {
	from  io.Reader
	dtype tensor.DType
	at    int64 // bytes read so far
}

func (n *negating) Read(p []byte) (int, error) {
	got, err := n.from.Read(p)
	if !tensor.Negate(p[:got], n.dtype, n.at) {
		return 0, fmt.Errorf("internal error: elements of %s have no sign to flip", n.dtype)
	}
	n.at += int64(got)
	return got, err
}

// sourceSHA256 hashes a file of the source.
func (w *run) sourceSHA256(name string) (string, error) {
	f, err := w.folder.Open(name)
	if err != nil {
		return "", fmt.Errorf("hash: %w", err)
	}
	defer f.Close()
	return readerSHA256(w.ctx, io.NewSectionReader(f.Reader(), 0, f.Size()), f.Path)
}

// fileSHA256 hashes a file until the context ends.
func fileSHA256(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hash: %w", err)
	}
	defer f.Close()
	return readerSHA256(ctx, f, path)
}

func readerSHA256(ctx context.Context, f io.Reader, path string) (string, error) {
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("hash %s: %w", path, err)
		}
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("hash: %w", err)
		}
	}
}
