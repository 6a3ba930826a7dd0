package place

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File is an open file of a folder. Its methods may be used from several goroutines,
// Close excepted.
type File struct {
	// Path names it: a path, or a URL without query.
	Path string

	size int64
	file *os.File // of the local disk
	away *away    // elsewhere
}

// OpenLocal opens a file of the local disk.
func OpenLocal(path string) (*File, error) {
	// Before opening: opening a named pipe would wait for a writer.
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if st, err = file.Stat(); err != nil {
		file.Close()
		return nil, err
	}
	return &File{Path: path, size: st.Size(), file: file}, nil
}

// Size is the file's bytes.
func (f *File) Size() int64 { return f.size }

// OS is the file of the local disk, nil elsewhere.
func (f *File) OS() *os.File { return f.file }

// Reader reads the file by range; of the local disk it is the [os.File].
func (f *File) Reader() io.ReaderAt {
	if f.file != nil {
		return f.file
	}
	return f.away
}

// Close closes the file.
func (f *File) Close() error {
	if f.file != nil {
		return f.file.Close()
	}
	return nil
}

// maxWhole bounds what is read of a file at once.
const maxWhole = 128 << 20

// all reads the file.
func (f *File) all() ([]byte, error) {
	if f.size > maxWhole {
		return nil, fmt.Errorf("%s: %d bytes: expected a small file, of at most %d", f.Path, f.size, maxWhole)
	}
	data := make([]byte, f.size)
	if _, err := f.Reader().ReadAt(data, 0); err != nil && !(err == io.EOF && len(data) == 0) {
		return nil, err
	}
	return data, nil
}
