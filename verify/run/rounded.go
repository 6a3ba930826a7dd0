package run

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Rounded is a weight that was rounded to codes when the graph was emitted, as the
// graph's own data have it: number (i, j) is
//
//	(code(i, j) − zero(i, b)) · scale(i, b) + low(i, b),   b = ⌊j / Block⌋
//
// where zero is the middle code, or 0 beside lows, unless the graph has zero points. It
// is read here from the bytes alone.
type Rounded struct {
	// Weight has the tensor, its rows and columns.
	Weight                     family.Weight
	Bits, Block                int
	Rows, Columns              int64
	codes, scales, lows, zeros io.ReaderAt
	across, size, zeroLine     int64
	numbers                    []float64 // all of them, once they were needed together
	middle                     float64
	kind                       onnxpb.TensorProto_DataType // of the codes
	each                       int64                       // elements of it in a byte
}

// sameBytes tells whether two initializers lie in one place.
func sameBytes(a, b *onnxpb.TensorProto) bool {
	file, at, length := External(a)
	other, from, many := External(b)
	if file == "" || other == "" {
		return file == other && bytes.Equal(a.GetRawData(), b.GetRawData())
	}
	return file == other && at == from && length == many
}

// RoundedWeight is the weight of which an initializer holds something rounded.
func RoundedWeight(name string) (w family.Weight, ok bool) {
	stored, part, _, ok := names.RoundedOf(name)
	if !ok {
		return w, false
	}
	return rowsOf(stored, part)
}

// RoundedOf lists the rounded weights of a graph, by the names of their codes, with the
// files that they are read from. What does not fit together is an error.
func RoundedOf(g *GraphInfo, ckpt store.Store) ([]*Rounded, io.Closer, error) {
	var list []*Rounded
	files := openFiles{}
	inits := g.Initializers()
	for _, t := range g.Model.GetGraph().GetInitializer() {
		stored, part, of, ok := names.RoundedOf(t.GetName())
		if !ok || !of.HoldsCodes() {
			continue
		}
		if other := inits[names.RoundedWeight(stored, part, names.RoundedCodes4)]; of == names.RoundedElements4 && other != nil && sameBytes(t, other) {
			continue // it is read by the other's name
		}
		r := &Rounded{Bits: 4, kind: onnxpb.TensorProto_UINT8, each: 1}
		switch of {
		case names.RoundedCodes8:
			r.Bits = 8
		case names.RoundedElements4:
			r.kind, r.each = onnxpb.TensorProto_UINT4, 2
		}
		err := r.open(g.Dir(), ckpt, stored, part, t, inits, files)
		if err != nil {
			files.Close()
			return nil, nil, fmt.Errorf("%s: weight %q: %w; emit the graph again with pecvt export", g.Path, t.GetName(), err)
		}
		list = append(list, r)
	}
	return list, files, nil
}

// open finds what belongs to codes.
func (r *Rounded) open(dir string, ckpt store.Store, stored, part string, codes *onnxpb.TensorProto, inits map[string]*onnxpb.TensorProto, files openFiles) error {
	w, ok := rowsOf(stored, part)
	info, held := ckpt.Lookup(stored)
	if !ok || !held || len(info.Shape) < 2 {
		return fmt.Errorf("no such matrix is in the checkpoint")
	}
	matrix := tensor.Matrix(info.Shape)
	w.Stored = info.Shape
	r.Rows, r.Columns = matrix[0], matrix[1]
	if w.Rows != nil {
		r.Rows = 0
	}
	for _, run := range w.Rows {
		if r.Rows += run.End - run.Begin; run.End > matrix[0] {
			return fmt.Errorf("rows %d to %d: the checkpoint has %d", run.Begin, run.End-1, matrix[0])
		}
	}
	if c := w.Columns; c != nil {
		if c.Begin+(c.Count-1)*c.Step >= matrix[1] {
			return fmt.Errorf("columns up to %d: the checkpoint has %d", c.Begin+(c.Count-1)*c.Step, matrix[1])
		}
		if r.Columns = c.Count; c.Across {
			r.Rows, r.Columns = c.Count, r.Rows
		}
	}
	w.Shape = []int64{r.Rows, r.Columns}
	r.Weight = w
	d := slices.Clone(codes.GetDims())
	if len(d) == 3 && d[2]%r.each == 0 {
		d[2] /= r.each
	}
	if len(d) != 3 || d[0] != r.Rows || d[1] < 1 || d[2] < 1 || (r.Columns+d[2]*8/int64(r.Bits)-1)/(d[2]*8/int64(r.Bits)) != d[1] {
		return fmt.Errorf("codes of %v: expected those of %d rows of %d", d, r.Rows, r.Columns)
	}
	r.across, r.size = d[1], d[2]
	r.Block = int(r.size) * 8 / r.Bits
	r.middle = float64(int(1) << (r.Bits - 1))
	r.zeroLine = (r.across*int64(r.Bits) + 7) / 8
	for _, x := range []struct {
		of     names.Rounded
		to     *io.ReaderAt
		kind   onnxpb.TensorProto_DataType
		length int64
	}{
		{"", &r.codes, r.kind, r.Rows * r.across * r.size},
		{names.RoundedScales, &r.scales, onnxpb.TensorProto_FLOAT16, 2 * r.Rows * r.across},
		{names.RoundedLows, &r.lows, onnxpb.TensorProto_FLOAT16, 2 * r.Rows * r.across},
		{names.RoundedZeros, &r.zeros, onnxpb.TensorProto_UINT8, r.Rows * r.zeroLine},
	} {
		t := codes
		if x.of != "" {
			t = inits[names.RoundedWeight(stored, part, x.of)]
		}
		switch {
		case t == nil && x.of == names.RoundedScales:
			return fmt.Errorf("it has no scales")
		case t == nil:
			continue
		case t.GetDataType() != int32(x.kind):
			return fmt.Errorf("%q is of type %s: expected %s", t.GetName(), onnxpb.TensorProto_DataType(t.GetDataType()), x.kind)
		}
		at, length, err := files.data(dir, t)
		if err != nil {
			return err
		}
		if length != x.length {
			return fmt.Errorf("%q has %d bytes: expected %d", t.GetName(), length, x.length)
		}
		*x.to = at
	}
	if r.lows != nil {
		r.middle = 0
	}
	return nil
}

// Line reads row i: its numbers, and the scale of each block.
func (r *Rounded) Line(i int64, numbers, scales []float64) error {
	return r.lines(i, i+1, numbers, scales)
}

// lines reads rows [from, to), and the scale of each of their blocks.
func (r *Rounded) lines(from, to int64, numbers, scales []float64) error {
	n := to - from
	codes, halves := make([]byte, n*r.across*r.size), make([]byte, 2*n*r.across)
	var zeros []byte
	var lows []float64
	err := readAt(r.codes, codes, from*r.across*r.size)
	if err == nil {
		err = readAt(r.scales, halves, from*2*r.across)
	}
	if err == nil {
		err = tensor.Decode64(scales[:n*r.across], halves, tensor.F16)
	}
	if err == nil && r.lows != nil {
		lows = make([]float64, n*r.across)
		if err = readAt(r.lows, halves, from*2*r.across); err == nil {
			err = tensor.Decode64(lows, halves, tensor.F16)
		}
	}
	if err == nil && r.zeros != nil {
		zeros = make([]byte, n*r.zeroLine)
		err = readAt(r.zeros, zeros, from*r.zeroLine)
	}
	if err != nil {
		return fmt.Errorf("the graph's codes of tensor %q, row %d: %w", r.Weight.Tensor, from, err)
	}
	for b := range n * r.across {
		row, k := b/r.across, b%r.across
		zero, low := r.middle, 0.0
		switch {
		case zeros == nil:
		case r.Bits == 8:
			zero = float64(zeros[row*r.zeroLine+k])
		default:
			zero = float64(zeros[row*r.zeroLine+k/2] >> (k % 2 * 4) & 15)
		}
		if lows != nil {
			low = lows[b]
		}
		at := k * int64(r.Block)
		r.block(numbers[row*r.Columns+at:][:min(int64(r.Block), r.Columns-at)], codes[b*r.size:][:r.size], zero, scales[b], low)
	}
	return nil
}

// block writes the numbers of one block, whose last codes may serve nothing.
func (r *Rounded) block(numbers []float64, codes []byte, zero, scale, low float64) {
	if r.Bits == 8 {
		for j := range numbers {
			numbers[j] = (float64(codes[j])-zero)*scale + low
		}
		return
	}
	var of [16]float64 // what each code means here
	for code := range of {
		of[code] = (float64(code)-zero)*scale + low
	}
	for j := range numbers {
		numbers[j] = of[codes[j/2]>>(j%2*4)&15]
	}
}

// Scheme names what the codes are: "int4, blocks of 32, zero points float".
func (r *Rounded) Scheme() string {
	zeros := "none"
	switch {
	case r.lows != nil:
		zeros = "float"
	case r.zeros != nil:
		zeros = "uint8"
	}
	return fmt.Sprintf("int%d, blocks of %d, zero points %s", r.Bits, r.Block, zeros)
}

// Across is how many blocks a row has.
func (r *Rounded) Across() int64 { return r.across }

func readAt(r io.ReaderAt, dst []byte, at int64) error {
	n, err := r.ReadAt(dst, at)
	if n == len(dst) {
		return nil
	}
	return err
}

// openFiles are files by path.
type openFiles map[string]*os.File

// Close closes them.
func (f openFiles) Close() error {
	for _, file := range f {
		file.Close()
	}
	return nil
}

// data gives an initializer's bytes, wherever they lie.
func (f openFiles) data(dir string, t *onnxpb.TensorProto) (io.ReaderAt, int64, error) {
	location, offset, length := External(t)
	if location == "" {
		return rawData(t.GetRawData()), int64(len(t.GetRawData())), nil
	}
	path := filepath.Join(dir, filepath.FromSlash(location))
	if f[path] == nil {
		file, err := os.Open(path)
		if err != nil {
			return nil, 0, err
		}
		f[path] = file
	}
	st, err := f[path].Stat()
	if err == nil && st.Size() < offset+length {
		err = fmt.Errorf("%s has %d bytes: expected %d", path, st.Size(), offset+length)
	}
	return io.NewSectionReader(f[path], offset, length), length, err
}

// rawData is an initializer's own bytes.
type rawData []byte

// ReadAt implements io.ReaderAt.
func (d rawData) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(d)) {
		return 0, io.EOF
	}
	n := copy(p, d[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
