package onnxops

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// made is an initializer whose bytes are made of what is stored, length bytes by write.
// It lies in the graph's own data, or in the graph with PlaceEmbed.
func (s *initializers) made(name, tensor string, t graph.DType, dims []int64, length int64, write func(io.Writer) error) *graph.Value {
	return s.once(name, func(name string) *graph.Value {
		if s.mode != PlaceEmbed {
			return s.g.External(name, t, dims, s.dataFile(), s.place(chunk{tensor: tensor, end: length, name: name, write: write}), length)
		}
		var raw strings.Builder
		raw.Grow(int(length))
		if err := write(&raw); err != nil {
			return s.fail(err)
		}
		s.src.Release(tensor)
		s.digests[name] = names.DigestOf(sha256.Sum256([]byte(raw.String())))
		return s.g.Tensor(name, t, dims, []byte(raw.String()))
	})
}

// codes are the codes of a weight's rows as float32, (rows, columns): made of them as
// they are stored where they lie one in each element, else of int8.
func (s *initializers) codes(c *coded) *graph.Value {
	if c.grid.Read == nil {
		w := family.Weight{Tensor: c.grid.Codes, Shape: []int64{c.rows, c.columns}, Rows: c.w.Rows}
		info, _ := c.src.Lookup(w.Tensor)
		var parts []*graph.Value
		for _, r := range family.JoinRanges(w.Rows) { // Concat takes no float8
			w.Rows, w.Shape = []family.Range{r}, []int64{r.End - r.Begin, c.columns}
			parts = append(parts, s.cast(s.raw(c.src, w, info)))
		}
		switch {
		case parts == nil:
			return s.cast(s.raw(c.src, w, info))
		case len(parts) == 1 || s.g.Err() != nil:
			return parts[0]
		}
		return s.once("/rows/"+names.CodedWeight(c.w.Tensor, c.part(), names.Codes), func(name string) *graph.Value {
			return s.g.Op("Concat", name, parts, graph.IntAttr("axis", 0))
		})
	}
	name := names.CodedWeight(c.w.Tensor, c.part(), names.Codes)
	return s.cast(s.made(name, c.w.Tensor, graph.Int8, []int64{c.rows, c.columns}, c.rows*c.columns, func(w io.Writer) error {
		out := make([]byte, c.columns)
		return c.eachRow(func(codes []float32) error {
			for j, x := range codes {
				out[j] = byte(int8(x))
			}
			_, err := w.Write(out)
			return err
		})
	}))
}

// codeTypes are ONNX's names of the types that codes are stored in.
var codeTypes = map[tensor.DType]graph.DType{
	tensor.I8: graph.Int8, tensor.U8: graph.UInt8, tensor.F8E4M3: graph.Float8E4, tensor.F8E5M2: graph.Float8E5,
}

// packed are codes of 4 bits as MatMulNBits has them, (rows, blocks, bytes): the lowest
// is 0, the first of two is low, and behind the last column come codes that serve nothing.
func (s *initializers) packed(c *coded) *graph.Value {
	across, size := c.across(), c.block/2
	name := names.CodedWeight(c.w.Tensor, c.part(), names.Nibbles)
	return s.made(name, c.w.Tensor, graph.UInt8, []int64{c.rows, across, size}, c.rows*across*size, func(w io.Writer) error {
		out := make([]byte, across*size)
		return c.eachRow(func(codes []float32) error {
			clear(out)
			for j, x := range codes {
				out[j/2] |= byte(x-float32(c.grid.Low)) << (j % 2 * 4)
			}
			_, err := w.Write(out)
			return err
		})
	})
}

// eachRow walks the codes of a weight's rows.
func (c *coded) eachRow(visit func(codes []float32) error) error {
	const many = 64
	line := make([]float32, many*c.columns)
	for _, r := range c.runs() {
		for at := r.Begin; at < r.End; at += many {
			end := min(at+many, r.End)
			if err := c.grid.Numbers(c.src, line[:(end-at)*c.columns], at, end); err != nil {
				return fmt.Errorf("tensor %q: %w", c.w.Tensor, err)
			}
			for i := range end - at {
				if err := visit(line[i*c.columns : (i+1)*c.columns]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// scales are (rows, blocks) of float32, zeros likewise.
func (s *initializers) scales(c *coded) *graph.Value {
	return s.numbers(c, names.Scales, func(scales, _ []float64) []float64 { return scales })
}

func (s *initializers) zeros(c *coded) *graph.Value {
	return s.numbers(c, names.Zeros, func(_, zeros []float64) []float64 { return zeros })
}

// offsets are likewise what is added to the products of codes and scales.
func (s *initializers) offsets(c *coded) *graph.Value {
	across := c.across()
	name := names.CodedWeight(c.w.Tensor, c.part(), names.Offsets)
	return s.made(name, c.w.Tensor, graph.Float, []int64{c.rows, across}, 4*c.rows*across, func(w io.Writer) error {
		out := make([]byte, 4*across)
		for _, r := range c.runs() {
			for row := r.Begin; row < r.End; row++ {
				list, err := c.grid.Offsets(c.src, row)
				if err != nil {
					return fmt.Errorf("tensor %q: %w", c.w.Tensor, err)
				}
				for b := range across {
					binary.LittleEndian.PutUint32(out[4*b:], math.Float32bits(float32(list[b*c.block/c.grid.BlockColumns])))
				}
				if _, err := w.Write(out); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *initializers) numbers(c *coded, of names.Coded, which func(scales, zeros []float64) []float64) *graph.Value {
	across := c.across()
	name := names.CodedWeight(c.w.Tensor, c.part(), of)
	return s.made(name, c.w.Tensor, graph.Float, []int64{c.rows, across}, 4*c.rows*across, func(w io.Writer) error {
		out := make([]byte, 4*across)
		return c.lines(func(_ int64, scales, zeros []float64) error {
			list := which(scales, zeros)
			for b := range across {
				x := float32(list[b*c.block/c.grid.BlockColumns])
				binary.LittleEndian.PutUint32(out[4*b:], math.Float32bits(x))
			}
			_, err := w.Write(out)
			return err
		})
	})
}

// packedZeros are zero points as MatMulNBits has them, (rows, bytes): codes of 4 bits.
func (s *initializers) packedZeros(c *coded) *graph.Value {
	across := c.across()
	size := (across + 1) / 2
	name := names.CodedWeight(c.w.Tensor, c.part(), names.NibbleZeros)
	return s.made(name, c.w.Tensor, graph.UInt8, []int64{c.rows, size}, c.rows*size, func(w io.Writer) error {
		out := make([]byte, size)
		return c.lines(func(_ int64, _, zeros []float64) error {
			clear(out)
			for b := range across {
				zero := -c.grid.Low // a grid without zeros
				if zeros != nil {
					zero += zeros[b*c.block/c.grid.BlockColumns]
				}
				out[b/2] |= byte(zero) << (b % 2 * 4)
			}
			_, err := w.Write(out)
			return err
		})
	})
}
