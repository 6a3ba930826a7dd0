// Package storetest holds a store in memory and the suite that every kind of
// store must pass.
package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Tensor is a tensor in memory.
type Tensor struct {
	DType tensor.DType
	Shape []int64
	Data  []byte
	// Place is where the same bytes lie in a file; nil where they lie in none.
	Place *store.Place
}

// Memory is a store whose tensors lie in memory. It must not be changed while it
// is in use.
type Memory struct {
	Tensors map[string]Tensor
	// Beside are the files beside them; Folder is what Root says.
	Beside fs.FS
	Folder string
	names  []string
}

var _ store.Store = (*Memory)(nil)

// New makes a store of tensors.
func New(folder string, beside fs.FS, tensors map[string]Tensor) (*Memory, error) {
	for name, t := range tensors {
		n, err := tensor.ByteSize(t.DType, t.Shape)
		if err != nil {
			return nil, fmt.Errorf("storetest: tensor %q: %w", name, err)
		}
		if n != int64(len(t.Data)) {
			return nil, fmt.Errorf("storetest: tensor %q: shape %v of %s needs %d bytes, got %d", name, t.Shape, t.DType, n, len(t.Data))
		}
	}
	return &Memory{Tensors: tensors, Beside: beside, Folder: folder, names: slices.Sorted(maps.Keys(tensors))}, nil
}

// Copy reads a store into memory, tensor by tensor as edit makes them; nil leaves
// them as they are. Places are those of s where the bytes are.
func Copy(s store.Store, edit func(name string, t *Tensor) error) (*Memory, error) {
	tensors := map[string]Tensor{}
	for _, name := range s.Names() {
		info, _ := s.Lookup(name)
		raw, err := store.Bytes(s, name)
		if err != nil {
			return nil, err
		}
		t := Tensor{DType: info.DType, Shape: slices.Clone(info.Shape), Data: slices.Clone(raw)}
		if p, ok := s.Place(name); ok {
			t.Place = &p
		}
		if edit != nil {
			if err := edit(name, &t); err != nil {
				return nil, fmt.Errorf("storetest: tensor %q: %w", name, err)
			}
		}
		tensors[name] = t
	}
	return New(s.Root(), s.FS(), tensors)
}

// Encode stores the tensor in another type; its bytes lie in no file any more.
func (t *Tensor) Encode(d tensor.DType) error {
	values, err := t.Values()
	if err != nil {
		return err
	}
	n, err := tensor.ByteSize(d, t.Shape)
	if err != nil {
		return err
	}
	*t = Tensor{DType: d, Shape: t.Shape, Data: make([]byte, n)}
	return tensor.Encode64(t.Data, values, d)
}

// Values decodes the tensor.
func (t *Tensor) Values() ([]float64, error) {
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	values := make([]float64, n)
	return values, tensor.Decode64(values, t.Data, t.DType)
}

func (m *Memory) Root() string      { return m.Folder }
func (m *Memory) FS() fs.FS         { return m.Beside }
func (m *Memory) Names() []string   { return m.names }
func (m *Memory) IndexPath() string { return "" }

// Files is nil: the tensors lie in none.
func (m *Memory) Files() []store.File { return nil }
func (m *Memory) Release(string)      {}

func (m *Memory) Lookup(name string) (store.Info, bool) {
	t, ok := m.Tensors[name]
	if !ok {
		return store.Info{}, false
	}
	return store.Info{Name: name, DType: t.DType, Shape: t.Shape}, true
}

func (m *Memory) Place(name string) (store.Place, bool) {
	if p := m.Tensors[name].Place; p != nil {
		return *p, true
	}
	return store.Place{}, false
}

func (m *Memory) Read(name string, begin, end int64) ([]byte, error) {
	t, ok := m.Tensors[name]
	if !ok {
		return nil, store.Missing(m, name)
	}
	if begin < 0 || end < begin || end > int64(len(t.Data)) {
		return nil, store.Errorf(m, name, "bytes %d to %d of %d: the tensor has no such bytes", begin, end, len(t.Data))
	}
	return t.Data[begin:end:end], nil
}

func (m *Memory) Section(name string) (*io.SectionReader, error) {
	raw, err := store.Bytes(m, name)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(bytes.NewReader(raw), 0, int64(len(raw))), nil
}

// Walk gives small pieces, so that tests see several.
func (m *Memory) Walk(name string, visit func(offset int64, piece []byte) error) error {
	raw, err := store.Bytes(m, name)
	if err != nil {
		return err
	}
	_, unit := m.Tensors[name].DType.Unit()
	piece := 10 * unit
	for at := 0; at < len(raw); at += piece {
		end := min(at+piece, len(raw))
		if err := visit(int64(at), raw[at:end:end]); err != nil {
			return err
		}
	}
	return nil
}

// Fingerprint covers names, types, shapes and the first bytes of every tensor.
func (m *Memory) Fingerprint() (string, error) {
	h := sha256.New()
	for _, name := range m.names {
		t := m.Tensors[name]
		fmt.Fprintf(h, "%q %s %v ", name, t.DType, t.Shape)
		h.Write(t.Data[:min(len(t.Data), 64)])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (m *Memory) Close() error { return nil }
