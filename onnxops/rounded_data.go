package onnxops

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// RowCoder gives a row of a weight in codes of the scheme, to be read at once. It may be
// asked from several goroutines.
type RowCoder func(row int64) (*nearest.Line, error)

// pieceBytes bounds what is read of a weight at a time.
const pieceBytes = 4 << 20

// codesOf are a weight's codes, (rows, blocks, bytes). Writing them makes the rest.
func (s *initializers) codesOf(r *rounded) *graph.Value {
	of := names.RoundedCodes4
	if r.scheme.Bits == 8 {
		of = names.RoundedCodes8
	}
	return s.made(names.RoundedWeight(r.w.Tensor, r.part, of), r.w.Tensor, graph.UInt8, []int64{r.rows, r.across, r.size}, r.rows*r.across*r.size,
		func(w io.Writer) error { return r.write(w, s.src) })
}

// halves are its scales or lows, (rows, blocks).
func (s *initializers) halves(r *rounded, of names.Rounded) *graph.Value {
	return s.made(names.RoundedWeight(r.w.Tensor, r.part, of), r.w.Tensor, graph.Float16, []int64{r.rows, r.across}, 2*r.rows*r.across, func(w io.Writer) error {
		list := &r.scales
		if of == names.RoundedLows {
			list = &r.lows
		}
		if int64(len(*list)) != r.rows*r.across {
			panic("onnxops: the codes of " + r.w.Tensor + " come after its scales")
		}
		out := make([]byte, 2*len(*list))
		for i, x := range *list {
			binary.LittleEndian.PutUint16(out[2*i:], x)
		}
		*list = nil
		_, err := w.Write(out)
		return err
	})
}

// zerosOf are its zero points, packed as the codes are.
func (s *initializers) zerosOf(r *rounded) *graph.Value {
	line := r.zeroBytes()
	return s.made(names.RoundedWeight(r.w.Tensor, r.part, names.RoundedZeros), r.w.Tensor, graph.UInt8, []int64{r.rows, line}, r.rows*line, func(w io.Writer) error {
		_, err := w.Write(r.zeros)
		r.zeros = nil
		return err
	})
}

func (r *rounded) zeroBytes() int64 { return (r.across*int64(r.scheme.Bits) + 7) / 8 }

// write makes the codes piece by piece and keeps scales, lows and zero points, which are
// small beside them.
func (r *rounded) write(w io.Writer, src store.Store) error {
	n := r.rows * r.across
	r.scales = make([]uint16, n)
	switch r.scheme.Zeros {
	case nearest.ZeroFloat:
		r.lows = make([]uint16, n)
	case nearest.ZeroCode:
		r.zeros = make([]byte, r.rows*r.zeroBytes())
	}
	many := max(pieceBytes/(4*r.columns), 1)
	var all []float32
	digits := 24
	if r.w.Columns != nil && r.code == nil { // columns of rows are taken at once
		var err error
		if all, digits, err = numbersOf(r.w, src); err != nil {
			return err
		}
	}
	line := r.across * r.size
	out := make([]byte, min(many, r.rows)*line)
	for begin := int64(0); begin < r.rows; begin += many {
		end := min(begin+many, r.rows)
		part := all
		switch {
		case r.code != nil:
		case all != nil:
			part = all[begin*r.columns : end*r.columns]
		default:
			var err error
			if part, digits, err = numbersOf(r.w.Between(begin, end), src); err != nil {
				return err
			}
			src.Release(r.w.Tensor)
		}
		if err := r.piece(begin, end, part, digits, out[:(end-begin)*line]); err != nil {
			return store.Errorf(src, r.w.Tensor, "%w", err)
		}
		if _, err := w.Write(out[:(end-begin)*line]); err != nil {
			return err
		}
	}
	src.Release(r.w.Tensor)
	return nil
}

// numbersOf reads a weight, with the binary digits that its numbers are stored with.
func numbersOf(w family.Weight, src store.Store) ([]float32, int, error) {
	info, _ := src.Lookup(w.Tensor)
	list, err := w.Float32(src)
	return list, widths.Digits(info.DType), err
}

// piece makes codes of rows, on all processors.
func (r *rounded) piece(begin, end int64, numbers []float32, digits int, out []byte) error {
	workers := min(int64(runtime.GOMAXPROCS(0)), end-begin)
	failed := make([]error, workers)
	var wait sync.WaitGroup
	for k := range workers {
		wait.Go(func() {
			from, to := begin+(end-begin)*k/workers, begin+(end-begin)*(k+1)/workers
			line := r.scheme.NewLine(int(r.columns))
			for row := from; row < to; row++ {
				var err error
				if r.code != nil {
					line, err = r.code(row)
				} else {
					err = r.scheme.Round(numbers[(row-begin)*r.columns:][:r.columns], digits, line)
				}
				if err != nil {
					failed[k] = fmt.Errorf("row %d: %w", row, err)
					return
				}
				r.put(row, line, out[(row-begin)*r.across*r.size:][:r.across*r.size])
			}
		})
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// put packs a row. Behind its last column come codes that serve nothing.
func (r *rounded) put(row int64, line *nearest.Line, out []byte) {
	if r.scheme.Bits == 8 {
		clear(out[copy(out, line.Codes):])
	} else {
		clear(out)
		for j, code := range line.Codes {
			out[j/2] |= code << (j % 2 * 4)
		}
	}
	at := row * r.across
	for b, g := range line.Steps {
		r.scales[at+int64(b)] = nearest.Float16(g.Scale)
		switch {
		case r.lows != nil:
			r.lows[at+int64(b)] = nearest.Float16(g.Low)
		case r.zeros != nil:
			zeros := r.zeros[row*r.zeroBytes():]
			if r.scheme.Bits == 8 {
				zeros[b] = byte(g.Zero)
			} else {
				zeros[b/2] |= byte(g.Zero) << (b % 2 * 4)
			}
		}
	}
}
