package unpack

import (
	"context"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc/hint"
)

// grain is how many elements a goroutine decodes at a time: its numbers stay in
// the processor's second cache.
const grain = 64 << 10

// tensor writes one tensor: its bytes as they are, or decoded by all cores, piece
// by piece.
func (in *importer) tensor(ctx context.Context, w *safetensors.Writer, info safetensors.Info) error {
	stored, _ := in.model.Lookup(info.Name)
	r, out := io.Pipe()
	var g errgroup.Group
	g.Go(func() error {
		err := in.model.Walk(info.Name, func(offset int64, piece []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if stored.DType == info.DType {
				_, err := out.Write(piece)
				return err
			}
			coded, err := recode(piece, stored.DType, info.DType)
			if err != nil {
				return hint.Errorf("gguf: tensor %q: %w", info.Name, err)
			}
			_, err = out.Write(coded)
			return err
		})
		out.CloseWithError(err) // nil: the end
		return err
	})
	err := w.WriteTensorFrom(info.Name, r)
	r.CloseWithError(err)
	if walked := g.Wait(); err == nil {
		err = walked
	}
	return err
}

// recode writes numbers of one type in another, each rounded once. A finite number
// that the other type cannot hold is an error.
func recode(src []byte, from, to tensor.DType) ([]byte, error) {
	elements, unit := from.Unit()
	n, err := tensor.Count(from, int64(len(src)))
	if err != nil {
		return nil, err
	}
	size := to.Size()
	dst := make([]byte, n*int64(size))
	step := grain / elements * elements
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for at := 0; at < int(n); at += step {
		end := min(at+step, int(n))
		g.Go(func() error {
			values, raw, out := make([]float32, end-at), src[at/elements*unit:end/elements*unit], dst[at*size:end*size]
			if err := tensor.Decode32(values, raw, from); err != nil {
				return err
			}
			if err := tensor.Encode32(out, values, to); err != nil {
				return err
			}
			if i, lost := tensor.NonFinite(out, to); lost && values[i]-values[i] == 0 {
				return hint.Errorf("%v does not fit %s: take another %s", values[i], to, hint.ImportDType)
			}
			return nil
		})
	}
	return dst, g.Wait()
}
