package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/tensor"
)

// decoded is a store whose quantised weights are read as a plain checkpoint's:
// float32 tensors, which are decoded as they are read and lie nowhere.
type decoded struct {
	Store   // as stored
	storage *quant.Storage
	names   []string
}

// Decoded gives a store in which quantised weights that the table of formats knows
// (package quant) are plain tensors of float32, decoded row by row as they are read;
// what else its tensors need is not among the names. A store without such weights is
// returned as it is.
func Decoded(s Store) (Store, error) {
	storage, err := quant.Find(quant.Declared(s.FS()), s, s.Names())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Root(), err)
	}
	if storage == nil {
		return s, nil
	}
	d := &decoded{Store: s, storage: storage, names: make([]string, 0, max(len(s.Names())-len(storage.Hidden), 0))}
	for name := range storage.Tensors {
		if _, stored := s.Lookup(name); !stored {
			d.names = append(d.names, name)
		}
	}
	for _, name := range s.Names() {
		if !storage.Hidden[name] {
			d.names = append(d.names, name)
		}
	}
	slices.Sort(d.names)
	return d, nil
}

// Quantised says how a store's quantised weights are stored, nil where it has none
// that are read.
func Quantised(r Reader) *quant.Storage {
	if d, ok := r.(interface{ Quantised() *quant.Storage }); ok {
		return d.Quantised()
	}
	return nil
}

// Makes tells whether rows of a tensor are made one by one as they are read: of a
// quantised weight, or by a store that says so.
func Makes(r Reader, name string) bool {
	if m, ok := r.(interface{ Makes(string) bool }); ok && m.Makes(name) {
		return true
	}
	q := Quantised(r)
	return q != nil && q.Tensors[name] != nil && q.Tensors[name].Unit <= 1
}

// Stored gives a store's tensors as they are stored: those of [Decoded] as they were
// before it.
func Stored(s Store) Store {
	if d, ok := s.(*decoded); ok {
		return d.Store
	}
	return s
}

func (d *decoded) Quantised() *quant.Storage { return d.storage }
func (d *decoded) Names() []string           { return d.names }

// Unheld forwards what the store tells of tensors that its index lists.
func (d *decoded) Unheld(name string) string {
	if s, ok := d.Store.(interface{ Unheld(string) string }); ok {
		return s.Unheld(name)
	}
	return ""
}

func (d *decoded) Lookup(name string) (Info, bool) {
	if t := d.storage.Tensors[name]; t != nil {
		return t.Info, true
	}
	if d.storage.Hidden[name] {
		return Info{}, false
	}
	return d.Store.Lookup(name)
}

func (d *decoded) Place(name string) (Place, bool) {
	if d.storage.Tensors[name] != nil || d.storage.Hidden[name] {
		return Place{}, false
	}
	return d.Store.Place(name)
}

func (d *decoded) Release(name string) {
	if t := d.storage.Tensors[name]; t != nil {
		for _, part := range t.Parts {
			d.Store.Release(part)
		}
		return
	}
	d.Store.Release(name)
}

// Read decodes the rows that hold the bytes.
func (d *decoded) Read(name string, begin, end int64) ([]byte, error) {
	t := d.storage.Tensors[name]
	switch {
	case t == nil && d.storage.Hidden[name]:
		return nil, Missing(d, name)
	case t == nil:
		return d.Store.Read(name, begin, end)
	case begin < 0 || end < begin || end > t.Info.Bytes():
		return nil, Errorf(d, name, "bytes %d to %d of %d: the tensor has no such bytes", begin, end, t.Info.Bytes())
	case begin == end:
		return nil, nil
	}
	m := tensor.Matrix(t.Info.Shape)
	row := 4 * m[len(m)-1]
	unit := row * max(t.Unit, 1)
	from, to := begin/unit*unit, min((end+unit-1)/unit*unit, t.Info.Bytes())
	numbers := make([]float32, (to-from)/4)
	if err := t.Decode(d.Store, numbers, from/row, to/row); err != nil {
		return nil, fmt.Errorf("%s: tensor %q, %s: %w", Where(d.Store, t.Parts[0]), name, t.Format, err)
	}
	out := make([]byte, 4*len(numbers))
	for i, x := range numbers {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(x))
	}
	return out[begin-from : end-from : end-from], nil
}

// Section reads a tensor's data as it is decoded.
func (d *decoded) Section(name string) (*io.SectionReader, error) {
	t := d.storage.Tensors[name]
	switch {
	case t == nil && d.storage.Hidden[name]:
		return nil, Missing(d, name)
	case t == nil:
		return d.Store.Section(name)
	}
	return io.NewSectionReader(readerAt{d, name, t.Info.Bytes()}, 0, t.Info.Bytes()), nil
}

type readerAt struct {
	from *decoded
	name string
	size int64
}

// ReadAt implements io.ReaderAt.
func (r readerAt) ReadAt(p []byte, at int64) (int, error) {
	end := min(at+int64(len(p)), r.size)
	if at >= r.size {
		return 0, io.EOF
	}
	raw, err := r.from.Read(r.name, at, end)
	n := copy(p, raw)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// pieceBytes bounds a piece of Walk, unless what is decoded at once is more.
const pieceBytes = 1 << 20

// Walk decodes a tensor piece by piece.
func (d *decoded) Walk(name string, visit func(offset int64, piece []byte) error) error {
	t := d.storage.Tensors[name]
	switch {
	case t == nil && d.storage.Hidden[name]:
		return Missing(d, name)
	case t == nil:
		return d.Store.Walk(name, visit)
	}
	m := tensor.Matrix(t.Info.Shape)
	unit := 4 * m[len(m)-1] * max(t.Unit, 1)
	step := max(pieceBytes/unit, 1) * unit
	for at := int64(0); at < t.Info.Bytes(); at += step {
		piece, err := d.Read(name, at, min(at+step, t.Info.Bytes()))
		if err != nil {
			return err
		}
		if err := visit(at, piece); err != nil {
			return err
		}
	}
	return nil
}
