package gguf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
)

// Format is what tensor.File calls the files of this package.
const Format = "gguf"

// File is an open GGUF file whose header has passed every check. Its methods may
// be used from several goroutines, Close excepted.
type File struct {
	Path string
	// Header must not be changed.
	Header *Header

	f         *place.File
	size      int64
	dataStart int64
	headerSum string
	byName    map[string]int
	mapped    *fsio.Map // nil: read with ReadAt
}

// Open opens the file of a path, checks its header as [Read] does, and maps it into
// memory.
func Open(path string) (*File, error) {
	f, err := place.OpenLocal(path)
	return open(path, f, err, true)
}

// OpenIn is [Open] for a file of a folder; one that is not of the local disk is read by
// range.
func OpenIn(folder *place.Folder, name string) (*File, error) {
	f, err := folder.Open(name)
	return open(folder.Path(name), f, err, true)
}

// open takes over a file, or the error of opening it.
func open(path string, from *place.File, err error, useMap bool) (_ *File, _ error) {
	if errors.Is(err, place.ErrNotRegular) {
		return nil, formatErrorf(path, "", "not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f := &File{Path: path, f: from, size: from.Size()}
	if err = f.read(); err == nil && useMap && from.OS() != nil {
		if f.mapped, err = fsio.NewMap(from.OS(), f.size); err != nil {
			err = fmt.Errorf("gguf: %w", err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// read reads the header.
func (f *File) read() (err error) {
	if f.Header, f.dataStart, err = Read(f.f.Reader(), f.size, f.Path); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f.f.Reader(), 0, min(f.dataStart, f.size))); err != nil {
		return fmt.Errorf("gguf: %s: %w", f.Path, err)
	}
	f.headerSum = hex.EncodeToString(sum.Sum(nil))
	f.byName = make(map[string]int, len(f.Header.Tensors))
	for i, t := range f.Header.Tensors {
		f.byName[t.Name] = i
	}
	return nil
}

// Lookup finds a tensor by its name.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Header.Tensors[i], true
}

// Size gives the bytes of the whole file, DataStart where its data start.
func (f *File) Size() int64      { return f.size }
func (f *File) DataStart() int64 { return f.dataStart }

// HeaderSHA256 gives, in hexadecimal, the SHA-256 of what stands before the data.
func (f *File) HeaderSHA256() string { return f.headerSum }

// Place gives where in the file a tensor's bytes lie.
func (f *File) Place(name string) (offset, length int64, ok bool) {
	t, ok := f.Lookup(name)
	if !ok {
		return 0, 0, false
	}
	n, err := t.Bytes()
	return f.dataStart + t.Offset, n, err == nil
}

// Read gives the bytes [begin, end) of a tensor. Where the file is mapped they are
// a part of the map: read-only, and not to be used after Close.
func (f *File) Read(name string, begin, end int64) ([]byte, error) {
	offset, length, ok := f.Place(name)
	if !ok {
		return nil, f.noTensor(name)
	}
	if begin < 0 || end < begin || end > length {
		return nil, formatErrorf(f.Path, ofTensor(name), "bytes %d to %d of %d: the tensor has no such bytes", begin, end, length)
	}
	if f.mapped != nil {
		return f.mapped.Data()[offset+begin : offset+end : offset+end], nil
	}
	data := make([]byte, end-begin)
	if _, err := f.f.Reader().ReadAt(data, offset+begin); err != nil && len(data) > 0 {
		if errors.Is(err, io.EOF) {
			return nil, formatErrorf(f.Path, ofTensor(name), "the file ends within it: it changed while it was read")
		}
		return nil, fmt.Errorf("gguf: %s: %s: %w", f.Path, ofTensor(name), err)
	}
	return data, nil
}

// Section gives a reader of a tensor's bytes that reads the file rather than the
// map. What it reads from ([io.SectionReader.Outer]) is an [os.File] where the file is
// of the local disk.
func (f *File) Section(name string) (*io.SectionReader, error) {
	offset, length, ok := f.Place(name)
	if !ok {
		return nil, f.noTensor(name)
	}
	return io.NewSectionReader(f.f.Reader(), offset, length), nil
}

// Release tells the system that the tensor's bytes are not needed for now.
func (f *File) Release(name string) {
	if offset, length, ok := f.Place(name); ok {
		f.ReleaseRange(offset, length)
	}
}

// ReleaseRange is Release for a range of the file.
func (f *File) ReleaseRange(offset, length int64) {
	if f.mapped != nil {
		f.mapped.Release(offset, length)
	}
}

// Close unmaps and closes the file.
func (f *File) Close() error {
	var err error
	if f.mapped != nil {
		err = f.mapped.Close()
	}
	return errors.Join(err, f.f.Close())
}

func (f *File) noTensor(name string) error {
	return formatErrorf(f.Path, ofTensor(name), "the file has no such tensor")
}
