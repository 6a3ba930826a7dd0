package onnxops

import (
	"encoding/binary"
	"io"

	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// RowCoder gives a row of a weight in codes of the scheme, to be read at once. It may be
// asked from several goroutines.
type RowCoder func(row int64) (*nearest.Line, error)

// codesOf are a weight's codes, (rows, blocks, bytes). Writing them makes the rest.
func (s *initializers) codesOf(r *rounded) *graph.Value {
	if r.scheme.Bits == 8 {
		return s.codesAs(r, names.RoundedCodes8, graph.UInt8, r.size)
	}
	return s.codesAs(r, names.RoundedCodes4, graph.UInt8, r.size)
}

// elementsOf are its codes with one in each element, (rows, blocks, columns).
func (s *initializers) elementsOf(r *rounded) *graph.Value {
	if r.scheme.Bits == 8 {
		return s.codesOf(r)
	}
	return s.codesAs(r, names.RoundedElements4, graph.UInt4, int64(r.scheme.Block))
}

// codesAs are its codes in a type, as many elements in a block. In another they are the
// same bytes.
func (s *initializers) codesAs(r *rounded, of names.Rounded, t graph.DType, many int64) *graph.Value {
	name, dims := names.RoundedWeight(r.w.Tensor, r.part, of), []int64{r.rows, r.across, many}
	if r.codes == nil {
		if s.mode != PlaceEmbed {
			s.ahead = append(s.ahead, r)
		}
		r.codes = s.made(name, r.w.Tensor, t, dims, r.rows*r.across*r.size, func(w io.Writer) error { return r.write(w, s.src) })
		return r.codes
	}
	if name == r.codes.Name() {
		return r.codes
	}
	return s.once(name, func(name string) *graph.Value {
		s.views[name] = r.codes.Name()
		return s.g.View(name, r.codes, t, dims)
	})
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

// write writes the codes, which others make ahead of it; it makes them itself where none do.
// Scales, lows and zero points, which are small beside them, are kept.
func (r *rounded) write(w io.Writer, src store.Store) error {
	if r.pieces == nil {
		defer roundAhead(src, []*rounded{r})()
	}
	for begin := int64(0); begin < r.rows; {
		p := <-r.pieces
		<-p.done
		err := p.err
		if err == nil {
			_, err = w.Write(p.out)
		}
		if err != nil {
			return err
		}
		begin = p.end
		src.Release(r.w.Tensor)
		p.free()
	}
	return nil
}

// put packs a row. Behind its last column come codes that serve nothing.
func (r *rounded) put(row int64, line *nearest.Line, out []byte) {
	if r.scheme.Bits == 8 {
		clear(out[copy(out, line.Codes):])
	} else {
		clear(out[nibbles(out, line.Codes):])
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

// nibbles packs codes of 4 bits, the first of two low, and returns the bytes written.
func nibbles(out, codes []byte) int {
	n := 0
	for ; len(codes) >= 8; codes = codes[8:] {
		x := binary.LittleEndian.Uint64(codes)
		x = (x | x>>4) & 0x00ff00ff00ff00ff
		x = (x | x>>8) & 0x0000ffff0000ffff
		binary.LittleEndian.PutUint32(out[n:], uint32(x|x>>16))
		n += 4
	}
	for j, code := range codes {
		if j%2 == 0 {
			out[n] = code
			n++
		} else {
			out[n-1] |= code << 4
		}
	}
	return n
}
