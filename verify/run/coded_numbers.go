package run

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Numbers walks the rows as the graph's operators make them, in float32: the product
// rounded once.
func (c *Coded) Numbers(ckpt store.Store, visit func(row int64, numbers []float32) error) error {
	if given, err := c.grid.BlockOf(store.Stored(ckpt)); err != nil {
		return err
	} else if given != nil {
		c.blockOf = given
	}
	across := c.Scales.GetDims()[1]
	lines, err := readers(c.dir, c.Scales, c.Zeros, c.Offsets)
	if err != nil {
		return err
	}
	defer lines.close()
	scales, numbers, codes := make([]float32, across), make([]float32, c.grid.Columns), make([]float64, c.grid.Columns)
	zeros, offsets := make([]float64, across), make([]float32, across)
	for row, piece := int64(0), 0; piece < len(c.Codes); piece++ {
		in, err := readers(c.dir, c.Codes[piece])
		if err != nil {
			return err
		}
		n, _ := tensor.Elements(c.Codes[piece].GetDims())
		count := n / c.grid.Columns
		if c.Nibbles {
			count = c.Codes[piece].GetDims()[0]
		}
		width := n / count
		for range count {
			if err = c.line(in.list[0], width, codes); err == nil {
				err = lines.floats(0, scales)
			}
			if err == nil && c.Zeros != nil {
				err = c.zerosOf(lines.list[1], zeros)
			}
			if err == nil && c.Offsets != nil {
				err = lines.floats(2, offsets)
			}
			if err != nil {
				break
			}
			for j := range numbers {
				code := codes[j]
				if b := c.blockOf[j]; c.Zeros != nil {
					code -= zeros[b]
				} else if c.Nibbles && c.Offsets == nil {
					code -= 8
				}
				numbers[j] = float32(code*float64(scales[c.blockOf[j]]) + float64(offsets[c.blockOf[j]]))
			}
			if err = visit(row, numbers); err != nil {
				break
			}
			row++
		}
		in.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Exact tells whether the scales of a stored row are numbers of float32.
func (c *Coded) Exact(ckpt store.Store, row int64) bool {
	scales, _, err := c.grid.Line(store.Stored(ckpt), row)
	for _, x := range scales {
		if float64(float32(x)) != x {
			return false
		}
	}
	return err == nil
}

// Block gives the columns that share a scale with column j.
func (c *Coded) Block(j int) (begin, end int) {
	for begin = j; begin > 0 && c.blockOf[begin-1] == c.blockOf[j]; begin-- {
	}
	for end = j + 1; end < len(c.blockOf) && c.blockOf[end] == c.blockOf[j]; end++ {
	}
	return begin, end
}

// Factor tells whether numbers differ from others by one factor, so that codes are
// alike and scales are not.
func (c *Coded) Factor(got, want []float32) bool {
	factor, seen := 0.0, 0
	for i, x := range want {
		if x == 0 || got[i] == 0 {
			if x != got[i] {
				return false
			}
			continue
		}
		f := float64(got[i]) / float64(x)
		if seen++; seen > 1 && math.Abs(f-factor) > 1e-6*math.Abs(factor) {
			return false
		}
		factor = f
	}
	return seen > 1
}

// line reads the codes of a row of width elements.
func (c *Coded) line(in io.Reader, width int64, codes []float64) error {
	raw := make([]byte, width)
	if _, err := io.ReadFull(in, raw); err != nil {
		return fmt.Errorf("the graph's codes of tensor %q: %w", c.Weight.Tensor, err)
	}
	if !c.Nibbles {
		return tensor.Decode64(codes, raw, codeTypes[c.Codes[0].GetDataType()])
	}
	nibbles(codes, raw)
	return nil
}

func nibbles(dst []float64, raw []byte) {
	for j := range dst {
		dst[j] = float64(raw[j/2] >> (j % 2 * 4) & 15)
	}
}

// zerosOf reads the zeros of a row.
func (c *Coded) zerosOf(in io.Reader, zeros []float64) error {
	size := 4 * len(zeros)
	if c.Nibbles {
		size = (len(zeros) + 1) / 2
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(in, raw); err != nil {
		return fmt.Errorf("the graph's zero points of tensor %q: %w", c.Weight.Tensor, err)
	}
	if !c.Nibbles {
		return tensor.Decode64(zeros, raw, tensor.F32)
	}
	nibbles(zeros, raw)
	return nil
}

// opened are the data of initializers, to be read in order.
type opened struct {
	list  []io.Reader
	files []*os.File
}

func readers(dir string, list ...*onnxpb.TensorProto) (*opened, error) {
	o := &opened{}
	for _, t := range list {
		if t == nil {
			o.list = append(o.list, nil)
			continue
		}
		location, offset, length := External(t)
		if location == "" {
			o.list = append(o.list, bytes.NewReader(t.GetRawData()))
			continue
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(location)))
		if err != nil {
			o.close()
			return nil, fmt.Errorf("the graph's %q: %w", t.GetName(), err)
		}
		o.files = append(o.files, f)
		o.list = append(o.list, io.NewSectionReader(f, offset, length))
	}
	return o, nil
}

func (o *opened) close() {
	for _, f := range o.files {
		f.Close()
	}
}

// floats reads float32 numbers of one of them.
func (o *opened) floats(which int, dst []float32) error {
	raw := make([]byte, 4*len(dst))
	if _, err := io.ReadFull(o.list[which], raw); err != nil {
		return fmt.Errorf("the graph's scales: %w", err)
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}
