package safetensors

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/nlpodyssey/safetensors"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
)

// Format is what tensor.File calls the files of this package.
const Format = "safetensors"

// File is an open safetensors file whose header has passed every check. Its
// methods may be used from several goroutines, Close excepted.
type File struct {
	Path string

	f         *place.File
	size      int64
	dataStart int64
	infos     []Info
	byName    []int32 // places of infos, sorted by name
	metadata  map[string]string
	headerSum string

	mapped *fsio.Map                // nil: read with ReadAt
	views  *safetensors.SafeTensors // nil: read by our offsets
}

// Open opens the file of a path, checks its header and maps it into memory. A file
// that breaks a rule of the format gives a [FormatError].
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
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	f := &File{Path: path, f: from, size: from.Size()}
	if err = f.readHeader(); err == nil && useMap && from.OS() != nil {
		if f.mapped, err = fsio.NewMap(from.OS(), f.size); err != nil {
			err = fmt.Errorf("safetensors: %w", err)
		}
	}
	if err == nil {
		err = f.openViews()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) readHeader() error {
	if f.size < prefix {
		if f.size == 0 {
			return formatErrorf(f.Path, "", "the file is empty; download it again")
		}
		return formatErrorf(f.Path, "", "the file has %d bytes, too few for a header: it is truncated; download it again", f.size)
	}
	var first [prefix]byte
	if err := f.readAt(first[:], 0); err != nil {
		return err
	}
	n, err := headerLength(f.Path, first, f.size)
	if err != nil {
		return err
	}
	text := make([]byte, n)
	if err := f.readAt(text, prefix); err != nil {
		return err
	}
	f.dataStart = prefix + n
	f.infos, f.metadata, err = parseHeader(f.Path, text, f.size-f.dataStart)
	if err != nil {
		return err
	}
	f.byName = make([]int32, len(f.infos))
	for i := range f.byName {
		f.byName[i] = int32(i)
	}
	slices.SortFunc(f.byName, func(a, b int32) int { return cmp.Compare(f.infos[a].Name, f.infos[b].Name) })
	sum := sha256.New()
	sum.Write(first[:])
	sum.Write(text)
	f.headerSum = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// viewsHeader bounds the headers that the library reads too: it takes over
// ten times a header's size in memory. The largest headers of published checkpoints
// are below 1 MB.
const viewsHeader = 2 << 20

// openViews has the library read the map and compares what it found with our own
// header. The library stands aside for FP8, for huge headers, and where there is
// no map.
func (f *File) openViews() error {
	if f.mapped == nil || f.dataStart > viewsHeader {
		return nil
	}
	for _, info := range f.infos {
		if _, err := safetensors.ParseDType(info.DType.String()); err != nil {
			return nil
		}
	}
	views, err := safetensors.Deserialize(f.mapped.Data())
	if err != nil {
		return formatErrorf(f.Path, "", "the second reading of the header failed: %v", err)
	}
	if views.Len() != len(f.infos) {
		return formatErrorf(f.Path, "", "two readings of the header found %d and %d tensors", len(f.infos), views.Len())
	}
	for _, info := range f.infos {
		v, ok := views.Tensor(info.Name)
		if !ok || v.DType().String() != info.DType.String() || v.DataLen() != uint64(info.Bytes()) ||
			!slices.EqualFunc(v.Shape(), info.Shape, func(a uint64, b int64) bool { return a == uint64(b) }) {
			return formatErrorf(f.Path, info.Name, "two readings of the header disagree")
		}
	}
	f.views = &views
	return nil
}

// Tensors lists the tensors in the order of their data. The caller must not
// change it.
func (f *File) Tensors() []Info { return f.infos }

// Lookup finds a tensor by its name.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := slices.BinarySearchFunc(f.byName, name, func(at int32, name string) int { return cmp.Compare(f.infos[at].Name, name) })
	if !ok {
		return Info{}, false
	}
	return f.infos[f.byName[i]], true
}

// Bytes gives the data of a tensor. Where the file is mapped it is a part of the
// map: read-only, and not to be used after Close. Otherwise it is read anew.
func (f *File) Bytes(name string) ([]byte, error) {
	info, ok := f.Lookup(name)
	if !ok {
		return nil, f.noTensor(name)
	}
	return f.Read(name, 0, info.Bytes())
}

// Read is [File.Bytes] for the bytes [begin, end) of a tensor.
func (f *File) Read(name string, begin, end int64) ([]byte, error) {
	info, ok := f.Lookup(name)
	if !ok {
		return nil, f.noTensor(name)
	}
	if begin < 0 || end < begin || end > info.Bytes() {
		return nil, formatErrorf(f.Path, name, "bytes %d to %d of %d: the tensor has no such bytes", begin, end, info.Bytes())
	}
	if f.views != nil {
		v, ok := f.views.Tensor(name)
		if !ok {
			return nil, f.noTensor(name)
		}
		// With its capacity the slice would go on to the end of the file: an
		// append by the caller would write to the map.
		return v.Data()[begin:end:end], nil
	}
	begin, end = f.dataStart+info.Begin+begin, f.dataStart+info.Begin+end
	if f.mapped != nil {
		return f.mapped.Data()[begin:end:end], nil
	}
	data := make([]byte, end-begin)
	return data, f.readAt(data, begin)
}

// Section gives a reader of a tensor's data that reads the file rather than the
// map, for streaming with a small buffer. What it reads from ([io.SectionReader.Outer])
// is an [os.File] where the file is of the local disk.
func (f *File) Section(name string) (*io.SectionReader, error) {
	info, ok := f.Lookup(name)
	if !ok {
		return nil, f.noTensor(name)
	}
	return io.NewSectionReader(f.f.Reader(), f.dataStart+info.Begin, info.Bytes()), nil
}

// Release tells the system that the tensor's data is not needed for now, so that
// its mapped pages stop counting as resident. Reading it again stays possible.
func (f *File) Release(name string) {
	if info, ok := f.Lookup(name); ok && f.mapped != nil {
		f.mapped.Release(f.dataStart+info.Begin, info.Bytes())
	}
}

// DataStart gives the offset of the data in the file: 8 + the header's length.
func (f *File) DataStart() int64 { return f.dataStart }

// Size gives the bytes of the whole file.
func (f *File) Size() int64 { return f.size }

// HeaderSHA256 gives, in hexadecimal, the SHA-256 of the first DataStart bytes:
// the length field and the JSON header with its padding.
func (f *File) HeaderSHA256() string { return f.headerSum }

// Metadata gives a copy of the header's "__metadata__"; nil where it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Mapped reports whether the file is mapped into memory.
func (f *File) Mapped() bool { return f.mapped != nil }

// Close unmaps and closes the file. Slices that Bytes gave must not be used
// afterwards.
func (f *File) Close() error {
	var err error
	if f.mapped != nil {
		err = f.mapped.Close()
	}
	f.views = nil
	return errors.Join(err, f.f.Close())
}

func (f *File) noTensor(name string) error {
	return formatErrorf(f.Path, name, "the file has no such tensor")
}

func (f *File) readAt(dst []byte, offset int64) error {
	if _, err := f.f.Reader().ReadAt(dst, offset); err != nil && !(err == io.EOF && len(dst) == 0) {
		if err == io.EOF {
			return formatErrorf(f.Path, "", "the file ends before byte %d: it changed while it was read", offset+int64(len(dst)))
		}
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}
