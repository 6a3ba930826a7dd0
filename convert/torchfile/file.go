package torchfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// File is an open PyTorch checkpoint file.
type File struct {
	Path    string
	f       *os.File
	root    string // the archive's folder, with a slash
	size    int64
	entries []entry
	members map[string]*zip.File
}

// Open reads the pickle of a .pt or .bin file and checks every tensor against
// its storage; no tensor is read. Errors name the file and the tensor, and wrap
// posenc.ErrUnsupported for what is known and not read: torch's format before
// 1.6, TorchScript, globals beyond those that rebuild tensors, big-endian files.
func Open(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	t := &File{Path: name, f: f, members: map[string]*zip.File{}}
	if err := t.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("torchfile: %s: %w", name, err)
	}
	return t, nil
}

// Close closes the file.
func (t *File) Close() error { return t.f.Close() }

func (t *File) read() error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a file")
	}
	t.size = info.Size()
	z, err := zip.NewReader(t.f, t.size)
	if err != nil {
		return t.noArchive(err)
	}
	for _, m := range z.File {
		if _, twice := t.members[m.Name]; twice {
			return fmt.Errorf("the archive holds %q twice", clip(m.Name))
		}
		t.members[m.Name] = m
		if dir, base := path.Split(m.Name); base == "data.pkl" && strings.Count(dir, "/") == 1 {
			if t.root != "" {
				return errors.New("the archive holds two checkpoints")
			}
			t.root = dir
		}
	}
	if t.root == "" {
		return errors.New("a zip archive without data.pkl: not a PyTorch checkpoint")
	}
	if t.members[t.root+"constants.pkl"] != nil {
		return fmt.Errorf("a TorchScript archive, which holds code: %w; save model.state_dict() with torch.save", posenc.ErrUnsupported)
	}
	if order, err := t.member("byteorder", 16); err != nil && t.members[t.root+"byteorder"] != nil {
		return err
	} else if err == nil && strings.TrimSpace(string(order)) != "little" {
		return fmt.Errorf("byte order %q: %w", clip(string(order)), posenc.ErrUnsupported)
	}
	data, err := t.member("data.pkl", maxPickle)
	if err != nil {
		return err
	}
	if t.entries, err = stateDict(data); err != nil {
		return err
	}
	for _, e := range t.entries {
		if err := t.checkStorage(e.view.storage); err != nil {
			return fmt.Errorf("tensor %q: %w", clip(e.name), err)
		}
	}
	return nil
}

// noArchive says what a file that is no zip archive is.
func (t *File) noArchive(err error) error {
	var head [16]byte
	n, _ := t.f.ReadAt(head[:], 0)
	switch {
	case n == 0:
		return errors.New("the file is empty: download it again")
	case bytes.HasPrefix(head[:], []byte{0x80, 2, 0x8a, 10}): // torch's magic number as a pickle
		return fmt.Errorf("torch's format before 1.6: %w; load it with torch and save it again", posenc.ErrUnsupported)
	case bytes.HasPrefix(head[:], []byte("version https://git-lfs")):
		return errors.New("a Git LFS pointer: fetch the file itself (git lfs pull)")
	case bytes.HasPrefix(head[:], []byte("PK")):
		return fmt.Errorf("a damaged zip archive (%w): download it again", err)
	}
	return errors.New("not a PyTorch checkpoint: it is no zip archive")
}

// member reads a small member of the archive.
func (t *File) member(name string, limit int64) ([]byte, error) {
	m := t.members[t.root+name]
	if m == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	if m.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read", name, m.UncompressedSize64, limit)
	}
	r, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than it says", name)
	}
	return data, nil
}

// checkStorage compares a storage with the member that holds it.
func (t *File) checkStorage(s storage) error {
	name := "data/" + s.key
	m := t.members[t.root+name]
	switch want := uint64(s.elements) * uint64(s.class.dtype.Size()); {
	case m == nil:
		return fmt.Errorf("its storage %s is missing", clip(name))
	case m.Method != zip.Store:
		return fmt.Errorf("its storage %s is compressed, which torch does not do: %w", clip(name), posenc.ErrUnsupported)
	case m.UncompressedSize64 != want || m.CompressedSize64 != want:
		return fmt.Errorf("its storage %s has %d bytes: %d elements of %s need %d", clip(name), m.CompressedSize64, s.elements, s.class.dtype, want)
	}
	begin, err := m.DataOffset()
	if err != nil {
		return fmt.Errorf("its storage %s: %w", clip(name), err)
	}
	if size := int64(m.CompressedSize64); size < 0 || begin > t.size-size {
		return fmt.Errorf("its storage %s ends outside the file of %d bytes: the file is damaged; download it again", clip(name), t.size)
	}
	return nil
}

// Tensors lists the tensors in the pickle's order.
func (t *File) Tensors() []safetensors.Info {
	out := make([]safetensors.Info, len(t.entries))
	for i, e := range t.entries {
		out[i] = safetensors.Info{Name: e.name, DType: e.view.dtype, Shape: e.view.size}
	}
	return out
}

// reader gives the elements of an entry, row-major.
func (t *File) reader(e entry) (io.Reader, error) {
	v := e.view
	m := t.members[t.root+"data/"+v.storage.key]
	begin, err := m.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("torchfile: %s: tensor %q: %w", t.Path, clip(e.name), err)
	}
	width := int64(v.dtype.Size())
	elements, span := int64(1), int64(1)
	for i, s := range v.size {
		elements *= s
		span += (s - 1) * v.stride[i]
	}
	if elements == 0 {
		return bytes.NewReader(nil), nil
	}
	section := io.NewSectionReader(t.f, begin+v.offset*width, span*width)
	if v.contiguous() {
		return section, nil
	}
	raw := make([]byte, span*width) // the view lies within its storage, so within the file
	if _, err := io.ReadFull(section, raw); err != nil {
		return nil, fmt.Errorf("torchfile: %s: tensor %q: %w", t.Path, clip(e.name), err)
	}
	return bytes.NewReader(v.gather(raw, elements, width)), nil
}

// contiguous reports whether the elements lie row by row.
func (v *view) contiguous() bool {
	step := int64(1)
	for i := len(v.size) - 1; i >= 0; i-- {
		if v.size[i] != 1 && v.stride[i] != step {
			return false
		}
		step *= v.size[i]
	}
	return true
}

// gather puts the elements of a span of the storage in row-major order.
func (v *view) gather(raw []byte, elements, width int64) []byte {
	out := make([]byte, 0, elements*width)
	index := make([]int64, len(v.size))
	for at := int64(0); ; {
		out = append(out, raw[at*width:(at+1)*width]...)
		axis := len(index) - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			at += v.stride[axis]
			if index[axis] < v.size[axis] {
				break
			}
			at -= index[axis] * v.stride[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return out
		}
	}
}
