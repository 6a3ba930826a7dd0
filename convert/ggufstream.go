package convert

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// ggufFile is a GGUF file that is made from other files: a header, and where each
// tensor's numbers come from.
type ggufFile struct {
	h       *gguf.Header
	header  []byte
	data    int64
	sources []ggufSource // of h.Tensors
}

// ggufSource is where a tensor's numbers come from: rows of the source's tensors of
// one type, or values of its own.
type ggufSource struct {
	pieces []rewrite.Piece
	dtype  tensor.DType
	values []float32
}

// write makes the file.
func (g *ggufFile) write(w *run, to output) (how string, err error) {
	out, err := w.headed(to, g.h, g.header)
	if err != nil {
		return "", err
	}
	align, err := g.h.Alignment()
	if err != nil {
		return "", err
	}
	buffer := make([]byte, ggufBuffer)
	for i, t := range g.h.Tensors {
		if err := g.tensor(w, out, t, g.sources[i], buffer); err != nil {
			return "", err
		}
		n, err := t.Bytes()
		if err != nil {
			return "", err
		}
		padding := make([]byte, (align-n%align)%align)
		if _, err := out.Write(padding); err != nil {
			return "", err
		}
		w.report(int64(len(padding)))
	}
	return "written", out.seal()
}

// ggufBuffer is how many bytes of a tensor are held at a time.
const ggufBuffer = 1 << 20

// tensor writes the data of one tensor.
func (g *ggufFile) tensor(w *run, out io.Writer, t gguf.Tensor, s ggufSource, buffer []byte) error {
	size, err := t.Bytes()
	if err != nil {
		return err
	}
	from, err := g.reader(w.ctx, w, t, s)
	if err != nil {
		return err
	}
	for at := int64(0); at < size; {
		n, err := io.ReadFull(from, buffer[:min(int64(len(buffer)), size-at)])
		if err != nil {
			return fmt.Errorf("tensor %q: after %d of %d bytes: %w", t.Name, at, size, err)
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return err
		}
		at += int64(n)
		w.report(int64(n))
	}
	return nil
}

// reader gives a tensor's bytes in the type of the file.
func (g *ggufFile) reader(ctx context.Context, w *run, t gguf.Tensor, s ggufSource) (io.Reader, error) {
	to, ok := t.Type.DType()
	if !ok {
		return nil, fmt.Errorf("internal error: tensor %q is planned as %s, which nothing writes", t.Name, t.Type)
	}
	if s.values != nil {
		raw := make([]byte, 4*len(s.values))
		if err := tensor.Encode32(raw, s.values, tensor.F32); err != nil {
			return nil, err
		}
		return &transcoder{name: t.Name, from: bytes.NewReader(raw), source: tensor.F32, target: to}, nil
	}
	rows := &rowReader{ctx: ctx, section: w.section, pieces: s.pieces, report: func(int64) {}}
	return &transcoder{name: t.Name, from: rows, source: s.dtype, target: to}, nil
}

// transcoder reads elements of one type as another, by float32.
type transcoder struct {
	name           string
	from           io.Reader
	source, target tensor.DType

	values []float32
	in     []byte
	buffer []byte // encoded
	out    []byte // of it, what is not read yet
	at     int64  // elements before the next ones
}

// transcoded is how many elements are converted at a time, whole blocks of every
// type.
const transcoded = 1 << 16

// Read implements io.Reader.
func (t *transcoder) Read(p []byte) (int, error) {
	if len(t.out) == 0 {
		if err := t.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}

// next converts the next elements.
func (t *transcoder) next() error {
	elements, unit := t.source.Unit()
	if t.in == nil {
		t.in = make([]byte, transcoded/elements*unit)
		t.values = make([]float32, transcoded)
	}
	n, err := io.ReadFull(t.from, t.in)
	if n == 0 {
		return err
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return err
	}
	count, err := tensor.Count(t.source, int64(n))
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.name, err)
	}
	if t.source == t.target { // bytes as they are
		if at, found := tensor.NonFinite(t.in[:n], t.source); found {
			return t.unfit(t.at+at, float32(math.NaN()))
		}
		t.at, t.out = t.at+count, t.in[:n]
		return nil
	}
	values := t.values[:count]
	if err := tensor.Decode32(values, t.in[:n], t.source); err != nil {
		return fmt.Errorf("tensor %q: %w", t.name, err)
	}
	largest := float32(math.MaxFloat32)
	if t.target == tensor.F16 {
		largest = 65504
	}
	for i, x := range values {
		if !(x <= largest && x >= -largest) {
			return t.unfit(t.at+int64(i), x)
		}
	}
	t.at += count
	elements, unit = t.target.Unit()
	if int(count)%elements != 0 {
		return fmt.Errorf("tensor %q: %d elements are no whole blocks of %s", t.name, count, t.target)
	}
	size := int(count) / elements * unit
	if len(t.buffer) < size {
		t.buffer = make([]byte, size)
	}
	t.out = t.buffer[:size]
	return tensor.Encode32(t.out, values, t.target)
}

// unfit is the error for an element that the target cannot hold.
func (t *transcoder) unfit(at int64, x float32) error {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return fmt.Errorf("tensor %q: element %d is not finite: the weights are damaged", t.name, at)
	}
	return hint.Errorf("tensor %q: element %d is %v, beyond the largest f16, 65504: %w; "+hint.GGUFType+" bf16 and f32 hold it", t.name, at, x, posenc.ErrUnsupported)
}
