package interp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// externalFiles opens the files of external data, each once, and only inside
// the model's folder: a path or a link that leaves it is refused.
type externalFiles struct {
	dir   string
	root  *os.Root
	files map[string]*externalFile
}

type externalFile struct {
	*os.File
	size int64
}

func (x *externalFiles) locate(entries []*onnxpb.StringStringEntryProto, size int64) (io.ReaderAt, int64, error) {
	location, offset, length := "", int64(0), size
	for _, e := range entries {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "checksum":
		default:
			err = errors.New("unknown key")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("external data: %s = %q: %w", e.GetKey(), e.GetValue(), err)
		}
	}
	if location == "" {
		return nil, 0, errors.New("external data: no location")
	}
	if length != size {
		return nil, 0, fmt.Errorf("external data in %s: length is %d bytes, shape and type need %d", location, length, size)
	}
	f, err := x.open(location)
	if err != nil {
		return nil, 0, err
	}
	if offset < 0 || size > f.size || offset > f.size-size {
		return nil, 0, fmt.Errorf("external data in %s: bytes [%d, %d+%d) lie outside the file of %d bytes",
			location, offset, offset, size, f.size)
	}
	return f, offset, nil
}

func (x *externalFiles) open(location string) (*externalFile, error) {
	if f := x.files[location]; f != nil {
		return f, nil
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return nil, fmt.Errorf("external data: location %q leaves the model's folder; it must be a file inside it", location)
	}
	if x.root == nil {
		root, err := os.OpenRoot(x.dir)
		if err != nil {
			return nil, fmt.Errorf("external data: the model's folder: %w", err)
		}
		x.root = root
	}
	name := filepath.FromSlash(location)
	st, err := x.root.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	var f *os.File
	if err == nil {
		f, err = x.root.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("external data: location %q in %s: %w", location, x.dir, err)
	}
	if x.files == nil {
		x.files = map[string]*externalFile{}
	}
	x.files[location] = &externalFile{f, st.Size()}
	return x.files[location], nil
}

func (x *externalFiles) close() error {
	var errs []error
	for _, f := range x.files {
		errs = append(errs, f.Close())
	}
	x.files = nil
	if x.root != nil {
		errs = append(errs, x.root.Close())
		x.root = nil
	}
	return errors.Join(errs...)
}
