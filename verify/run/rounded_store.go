package run

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Meant gives the checkpoint's tensors with the numbers that the graph's codes mean in
// the place of those that were rounded, as float64, decoded row by row as they are read;
// the checkpoint itself where nothing was. Closing it leaves the checkpoint open.
func Meant(g *GraphInfo, ckpt store.Store) (store.Store, error) {
	list, files, err := RoundedOf(g, ckpt)
	if err != nil || list == nil {
		return ckpt, err
	}
	m := &meant{Store: ckpt, of: map[string][]*Rounded{}, files: files}
	for _, r := range list {
		m.of[r.Weight.Tensor] = append(m.of[r.Weight.Tensor], r)
	}
	return m, nil
}

type meant struct {
	store.Store // as stored
	of          map[string][]*Rounded
	files       io.Closer
	spare       sync.Pool // of numbers, on their way to bytes
}

// Close closes the graph's files.
func (m *meant) Close() error { return m.files.Close() }

// Makes tells whether rows are made as they are read.
func (m *meant) Makes(name string) bool { return m.of[name] != nil }

func (m *meant) Lookup(name string) (store.Info, bool) {
	info, ok := m.Store.Lookup(name)
	if m.of[name] != nil {
		info.DType = tensor.F64
	}
	return info, ok
}

func (m *meant) Place(name string) (store.Place, bool) {
	if m.of[name] != nil {
		return store.Place{}, false
	}
	return m.Store.Place(name)
}

// Release keeps nothing of a tensor.
func (m *meant) Release(name string) { m.Store.Release(name) }

// Read makes the rows that hold the bytes.
func (m *meant) Read(name string, begin, end int64) ([]byte, error) {
	if m.of[name] == nil {
		return m.Store.Read(name, begin, end)
	}
	info, _ := m.Lookup(name)
	if begin < 0 || end < begin || end > info.Bytes() {
		return nil, store.Errorf(m, name, "bytes %d to %d of %d: the tensor has no such bytes", begin, end, info.Bytes())
	}
	if begin == end {
		return nil, nil
	}
	width := tensor.Matrix(info.Shape)[1]
	from, to := begin/(8*width), (end+8*width-1)/(8*width)
	spare, _ := m.spare.Get().(*[]float64)
	if spare == nil {
		spare = new([]float64)
	}
	defer m.spare.Put(spare)
	numbers, err := m.numbers(name, info, from, to, spare)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 8*len(numbers))
	for i, x := range numbers {
		binary.LittleEndian.PutUint64(out[8*i:], math.Float64bits(x))
	}
	return out[begin-from*8*width : end-from*8*width], nil
}

// numbers are those of stored rows [from, to): the graph's, and the checkpoint's where
// the graph has a part of the tensor alone. spare is room for them.
func (m *meant) numbers(name string, info store.Info, from, to int64, spare *[]float64) ([]float64, error) {
	width := tensor.Matrix(info.Shape)[1]
	list := m.of[name]
	if r := list[0]; len(list) == 1 && r.Weight.Rows == nil && r.Weight.Columns == nil {
		*spare = slices.Grow((*spare)[:0], int((to-from)*width))
		numbers := (*spare)[:(to-from)*width]
		return numbers, r.lines(from, to, numbers, make([]float64, (to-from)*r.across))
	}
	rows := family.Weight{Tensor: name, Stored: info.Shape, Shape: []int64{to - from, width}, Rows: []family.Range{{Begin: from, End: to}}}
	numbers, err := rows.Float64(m.Store)
	for _, r := range list {
		if err == nil {
			err = r.lay(numbers, from, to, width)
		}
	}
	return numbers, err
}

// lay puts the weight's part of stored rows [from, to) of so many columns over numbers.
func (r *Rounded) lay(numbers []float64, from, to, width int64) error {
	runs := r.Weight.Rows
	all := tensor.Matrix(r.Weight.Stored)[0]
	if runs == nil {
		runs = []family.Range{{Begin: 0, End: all}}
	}
	scales, line := make([]float64, r.across), make([]float64, r.Columns)
	at := int64(0)
	for _, run := range runs {
		for row := max(run.Begin, from); row < min(run.End, to); row++ {
			i := at + row - run.Begin
			dst := numbers[(row-from)*width:][:width]
			c := r.Weight.Columns
			if c != nil && c.Across {
				whole, err := r.whole()
				if err != nil {
					return err
				}
				for k := range c.Count {
					dst[c.Begin+k*c.Step] = whole[k*r.Columns+i]
				}
				continue
			}
			if err := r.Line(i, line, scales); err != nil {
				return err
			}
			if c == nil {
				copy(dst, line)
				continue
			}
			for k, x := range line {
				dst[c.Begin+int64(k)*c.Step] = x
			}
		}
		at += run.End - run.Begin
	}
	return nil
}

// whole are all numbers, of a weight whose rows are columns of what is stored.
func (r *Rounded) whole() ([]float64, error) {
	if r.numbers != nil {
		return r.numbers, nil
	}
	all := make([]float64, r.Rows*r.Columns)
	if err := r.lines(0, r.Rows, all, make([]float64, r.Rows*r.across)); err != nil {
		return nil, err
	}
	r.numbers = all
	return all, nil
}

// Section reads a tensor's numbers as they are made.
func (m *meant) Section(name string) (*io.SectionReader, error) {
	if m.of[name] == nil {
		return m.Store.Section(name)
	}
	return nil, fmt.Errorf("tensor %q is made of the graph's codes: it lies in no file", name)
}

// Walk makes a tensor piece by piece.
func (m *meant) Walk(name string, visit func(offset int64, piece []byte) error) error {
	if m.of[name] == nil {
		return m.Store.Walk(name, visit)
	}
	info, _ := m.Lookup(name)
	step := max(1<<20/(8*tensor.Matrix(info.Shape)[1]), 1) * 8 * tensor.Matrix(info.Shape)[1]
	for at := int64(0); at < info.Bytes(); at += step {
		piece, err := m.Read(name, at, min(at+step, info.Bytes()))
		if err != nil {
			return err
		}
		if err := visit(at, piece); err != nil {
			return err
		}
	}
	return nil
}
