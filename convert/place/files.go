package place

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"
)

// files is a folder as fs.FS.
type files struct{ folder *Folder }

var (
	_ fs.ReadDirFS  = files{}
	_ fs.ReadFileFS = files{}
	_ fs.StatFS     = files{}
)

func (f files) ReadFile(name string) ([]byte, error)       { return f.folder.ReadFile(name) }
func (f files) Stat(name string) (fs.FileInfo, error)      { return f.folder.Stat(name) }
func (f files) ReadDir(name string) ([]fs.DirEntry, error) { return f.folder.readDir(dirName(name)) }

func dirName(name string) string {
	if name == "." {
		return ""
	}
	return name
}

func (f files) Open(name string) (fs.File, error) {
	e, err := f.folder.entry(name)
	if err != nil {
		return nil, err
	}
	if e.Dir {
		entries, err := f.folder.readDir(dirName(name))
		return &openDir{info{e}, entries}, err
	}
	data, err := f.folder.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &openFile{bytes.NewReader(data), info{e}}, nil
}

// openFile is a small file that was read.
type openFile struct {
	*bytes.Reader
	info
}

func (f *openFile) Close() error               { return nil }
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Size() int64                { return f.info.Size() }

// openDir is a folder in it.
type openDir struct {
	info
	rest []fs.DirEntry
}

func (d *openDir) Close() error               { return nil }
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	list := d.rest
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	d.rest = d.rest[len(list):]
	return list, nil
}

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.e.Name, Err: errors.ErrUnsupported}
}

// info describes an entry.
type info struct{ e Entry }

func (i info) Name() string       { return path.Base(i.e.Name) }
func (i info) Size() int64        { return i.e.Size }
func (i info) ModTime() time.Time { return i.e.ModTime }
func (i info) IsDir() bool        { return i.e.Dir }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.e.Dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
