package arch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Model is a GGUF file as the store of its family: tensors have the family's
// names, shapes and order of rows, config.json is what the metadata amount to. It
// is a store of tensors (store.Store); its methods may be used from several
// goroutines, Close excepted.
type Model struct {
	*Described
	folder *place.Folder
	file   *gguf.File
	names  []string
	of     map[string]entry
}

// entry is a tensor of the family.
type entry struct {
	name  string // in the file
	order Order
	info  tensor.Info
}

// Open opens the GGUF file of a path. A file of several parts, an architecture, a type
// or a tensor that is not known wraps posenc.ErrUnsupported and is named.
func Open(path string) (*Model, error) {
	return OpenIn(place.Local(filepath.Dir(path)), filepath.Base(path))
}

// OpenIn is [Open] for a file of a folder, wherever it is. Close closes the folder too.
func OpenIn(folder *place.Folder, name string) (*Model, error) {
	f, err := gguf.OpenIn(folder, name)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	m := &Model{folder: folder, file: f, of: make(map[string]entry, len(f.Header.Tensors))}
	if err := m.read(); err != nil {
		m.Close()
		return nil, fmt.Errorf("gguf: %s: %w", f.Path, err)
	}
	return m, nil
}

func (m *Model) read() (err error) {
	h := m.file.Header
	if kv, ok := h.Find("split.count"); ok {
		if n, err := kv.Uint(); err != nil || n > 1 {
			return fmt.Errorf("a part of a model in %d files (split.count): %w; put them together with llama-gguf-split of llama.cpp", n, posenc.ErrUnsupported)
		}
	}
	if m.Described, err = Describe(h, m.numbers); err != nil {
		return err
	}
	for _, t := range h.Tensors {
		switch t.Name {
		case FreqTensor, LongTensor, ShortTensor:
			continue // config.json says them
		}
		stored, order, ok := m.Arch.Stored(t.Name)
		if !ok {
			return fmt.Errorf("tensor %q has no place in architecture %s: %w", t.Name, m.Arch.Name, posenc.ErrUnsupported)
		}
		d, ok := t.Type.DType()
		if !ok {
			return fmt.Errorf("tensor %q is %s: %w; read are %s", t.Name, t.Type, posenc.ErrUnsupported, strings.Join(gguf.Decoded(), ", "))
		}
		e := entry{t.Name, order, tensor.Info{Name: stored, DType: d, Shape: t.Shape()}}
		if err := e.check(m.Sizes); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if _, twice := m.of[stored]; twice {
			return fmt.Errorf("tensor %q: there is another for %s: %w", t.Name, stored, gguf.ErrFormat)
		}
		m.of[stored] = e
	}
	m.names = slices.Sorted(maps.Keys(m.of))
	return nil
}

// check finds that type and shape fit each other, and the rows their order.
func (e entry) check(s Sizes) error {
	if _, err := tensor.ByteSize(e.info.DType, e.info.Shape); err != nil {
		return fmt.Errorf("%w: %w", err, gguf.ErrFormat)
	}
	if e.order == AsIs {
		return nil
	}
	if len(e.info.Shape) == 0 {
		return fmt.Errorf("a single number: %w", gguf.ErrFormat)
	}
	if e.info.DType.IsBlock() && len(e.info.Shape) == 1 {
		return fmt.Errorf("a bias in blocks of %s, whose elements lie in another order: %w", e.info.DType, posenc.ErrUnsupported)
	}
	if err := e.order.Check(s, e.info.Shape[0]); err != nil {
		return fmt.Errorf("%w: %w", err, gguf.ErrFormat)
	}
	return nil
}

// numbers reads a small tensor of float32.
func (m *Model) numbers(name string) ([]float32, error) {
	const most = 1 << 20
	_, n, ok := m.file.Place(name)
	if !ok || n > most {
		return nil, fmt.Errorf("tensor %q: %d bytes: expected a few numbers: %w", name, n, gguf.ErrFormat)
	}
	raw, err := m.file.Read(name, 0, n)
	if err != nil {
		return nil, err
	}
	list := make([]float32, n/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return list, nil
}

// File is the file behind the store.
func (m *Model) File() *gguf.File { return m.file }

// Root is the folder of the file.
func (m *Model) Root() string { return m.folder.Root() }

// Folder is the folder of the file.
func (m *Model) Folder() *place.Folder { return m.folder }

// FS holds config.json.
func (m *Model) FS() fs.FS { return memory{"config.json": m.Config} }

// Names lists the tensors by the family's names, sorted.
func (m *Model) Names() []string { return m.names }

// IndexPath is empty: one file holds all.
func (m *Model) IndexPath() string { return "" }

// Lookup finds a tensor by the family's name.
func (m *Model) Lookup(name string) (tensor.Info, bool) {
	e, ok := m.of[name]
	return e.info, ok
}

// Place says where a tensor's bytes lie; false where its rows lie in another
// order.
func (m *Model) Place(name string) (tensor.Place, bool) {
	e, ok := m.of[name]
	if !ok || e.order != AsIs {
		return tensor.Place{}, false
	}
	offset, n, ok := m.file.Place(e.name)
	return tensor.Place{File: m.file.Path, Offset: offset, Length: n}, ok
}

// Files describes the file, with the tensors that lie in it as they are.
func (m *Model) Files() []tensor.File {
	f := tensor.File{Path: m.file.Path, Format: gguf.Format, Size: m.file.Size(), DataStart: m.file.DataStart(), HeaderSHA256: m.file.HeaderSHA256()}
	for _, name := range m.names {
		if m.of[name].order == AsIs {
			f.Tensors = append(f.Tensors, name)
		}
	}
	slices.SortFunc(f.Tensors, func(a, b string) int {
		x, _, _ := m.file.Place(m.of[a].name)
		y, _, _ := m.file.Place(m.of[b].name)
		return int(min(max(x-y, -1), 1))
	})
	return []tensor.File{f}
}

// Read gives the bytes [begin, end) of a tensor in the family's order.
func (m *Model) Read(name string, begin, end int64) ([]byte, error) {
	e, err := m.entry(name)
	if err != nil {
		return nil, err
	}
	if n := e.info.Bytes(); begin < 0 || end < begin || end > n {
		return nil, fmt.Errorf("gguf: %s: tensor %q: bytes %d to %d of %d: the tensor has no such bytes", m.file.Path, name, begin, end, n)
	}
	if e.order == AsIs {
		return m.file.Read(e.name, begin, end)
	}
	out := make([]byte, end-begin)
	return out, m.gather(e, out, begin)
}

// Section reads a tensor's data in the family's order.
func (m *Model) Section(name string) (*io.SectionReader, error) {
	e, err := m.entry(name)
	if err != nil {
		return nil, err
	}
	if e.order == AsIs {
		return m.file.Section(e.name)
	}
	return io.NewSectionReader(rows{m, e}, 0, e.info.Bytes()), nil
}

// Release gives mapped pages back.
func (m *Model) Release(name string) { m.file.Release(m.of[name].name) }

// Fingerprint covers the header and the first bytes of every tensor.
func (m *Model) Fingerprint() (string, error) {
	const sample = 64
	sum := sha256.New()
	sum.Write([]byte(m.file.HeaderSHA256()))
	for _, t := range m.file.Header.Tensors {
		_, n, _ := m.file.Place(t.Name)
		raw, err := m.file.Read(t.Name, 0, min(n, sample))
		if err != nil {
			return "", err
		}
		sum.Write(raw)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Close closes the file.
func (m *Model) Close() error { return errors.Join(m.file.Close(), m.folder.Close()) }

func (m *Model) entry(name string) (entry, error) {
	e, ok := m.of[name]
	if !ok {
		return e, fmt.Errorf("gguf: %s: tensor %q: the checkpoint has no such tensor", m.file.Path, name)
	}
	return e, nil
}

// Folder is a folder of a few files by their names.
func Folder(files map[string][]byte) fs.FS { return memory(files) }

// memory is such a folder.
type memory map[string][]byte

// Open opens one of them.
func (m memory) Open(name string) (fs.File, error) {
	data, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{bytes.NewReader(data), name, int64(len(data))}, nil
}
