package store

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Info, Place and File are said by every kind of store; package tensor has them so
// that the kinds need not know this package.
type (
	Info  = tensor.Info
	Place = tensor.Place
	File  = tensor.File
)

// Reader reads tensors by name. Its methods may be used from several goroutines.
type Reader interface {
	// Lookup finds a tensor; false where there is none of the name.
	Lookup(name string) (Info, bool)
	// Read gives the bytes [begin, end) of a tensor as stored, little-endian, row
	// by row: read-only, and of use until the store is closed. What is mapped into
	// memory is not copied. A tensor that is not there, or has no such bytes, is
	// an error that names it.
	Read(name string, begin, end int64) ([]byte, error)
	// Place says where the tensor's bytes lie as they are; false where there is no
	// such tensor, or its bytes lie nowhere as such.
	Place(name string) (Place, bool)
	// Release says that the tensor's bytes are not needed for now, so that memory
	// behind them can go. Reading them again stays possible. A name that is not
	// there is passed over.
	Release(name string)
}

// Store is a model's stored tensors. Close excepted, its methods may be used from
// several goroutines.
type Store interface {
	Reader
	// Root is the folder or URL of the store, for messages and for what lies
	// beside it.
	Root() string
	// FS gives the files beside the tensors, such as config.json, by their names
	// in Root.
	FS() fs.FS
	// Names lists the tensors, sorted. The caller must not change it.
	Names() []string
	// Section reads a tensor's data without keeping it in memory, to be streamed.
	// Where it reads from a file of the local disk, its Outer is the *os.File, from
	// which the system can copy.
	Section(name string) (*io.SectionReader, error)
	// Walk calls visit for the data of a tensor piece by piece, in order, with the
	// offset of each piece; pieces hold whole units of the type (see
	// [tensor.DType.Unit]), are read-only and of use during the call alone. Memory
	// stays at one piece. An error of visit ends the walk and is returned as it is.
	Walk(name string, visit func(offset int64, piece []byte) error) error
	// Files describes the files that the tensors lie in, in their order; nil where
	// they lie in none.
	Files() []File
	// IndexPath is the file that lists the others, "" where there is none.
	IndexPath() string
	// Fingerprint tells the store from others with the same tensors without
	// reading it whole: another training run, and a fine-tuned model, have another;
	// a change deep inside a tensor need not show. Where the store lies, and what
	// its files are called, does not count.
	Fingerprint() (string, error)
	// Close ends the use of everything that the store gave.
	Close() error
}

// Bytes gives all of a tensor's bytes; see [Reader.Read].
func Bytes(r Reader, name string) ([]byte, error) {
	info, ok := r.Lookup(name)
	if !ok {
		return nil, Missing(r, name)
	}
	return r.Read(name, 0, info.Bytes())
}

// ReadRows gives the rows [begin, end) of a tensor along its first dimension; see
// [Reader.Read]. A range that cuts a block of a block format is an error.
func ReadRows(r Reader, name string, begin, end int64) ([]byte, error) {
	info, ok := r.Lookup(name)
	if !ok {
		return nil, Missing(r, name)
	}
	from, to, err := tensor.RowBytes(info.DType, info.Shape, begin, end)
	if err != nil {
		return nil, Errorf(r, name, "%w", err)
	}
	return r.Read(name, from, to)
}

// Where names the file that holds a tensor, for messages; the store's root where
// it lies in none, "" for a reader without one.
func Where(r Reader, name string) string {
	if p, ok := r.Place(name); ok {
		return p.File
	}
	if s, ok := r.(interface{ Root() string }); ok {
		return s.Root()
	}
	return ""
}

// Errorf makes an error about a tensor, "FILE: tensor "NAME": " in front of it.
func Errorf(r Reader, name, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if where := Where(r, name); where != "" {
		return fmt.Errorf("%s: tensor %q: %w", where, name, err)
	}
	return fmt.Errorf("tensor %q: %w", name, err)
}

// Missing is the error for a tensor that a reader does not have.
func Missing(r Reader, name string) error {
	return Errorf(r, name, "the checkpoint has no such tensor")
}
