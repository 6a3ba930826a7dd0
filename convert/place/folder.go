package place

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pecvt/pecvt/convert/fsio"
)

// Folder is an open folder. Close excepted, its methods may be used from several
// goroutines.
type Folder struct {
	root   string
	id     string // with what its URL says besides
	local  bool
	scheme *scheme
	driver driver
	ctx    context.Context
	cancel context.CancelFunc
	traffic
	cache cache
	// exact: what is read is asked for as it is, without what may be read next.
	exact bool

	mu     sync.Mutex
	listed map[string][]Entry // by folder, sorted by name
}

// Local is the folder of the local disk at a path.
func Local(dir string) *Folder { return &Folder{root: dir, local: true} }

// newFolder lists the folder itself.
func newFolder(ctx context.Context, p Place, d driver) (*Folder, error) {
	f := &Folder{root: p.root(), id: p.url.String(), scheme: p.scheme, driver: d, listed: map[string][]Entry{}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	entries, err := f.list("")
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%s: nothing lies there: expected a folder that holds a model; folders are named from the %s down, with their case", f.root, p.scheme.holder)
	}
	if err == nil {
		err = f.Finished()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Finished is an error that satisfies errors.Is(err, [ErrUnfinished]) where a [Marker]
// lies in the folder.
func (f *Folder) Finished() error {
	if _, err := f.Stat(Marker); err != nil {
		return nil // what else is wrong with the folder shows when it is read
	}
	return fmt.Errorf("%s: %w (%s lies there)", f.root, ErrUnfinished, Marker)
}

// Root names the folder: its path, or its URL without query.
func (f *Folder) Root() string { return f.root }

// Local is the folder's path where it is of the local disk.
func (f *Folder) Local() (string, bool) { return f.root, f.local }

// Path names a file of the folder, for messages and, on the local disk, to open it.
func (f *Folder) Path(name string) string { return fsio.Join(f.root, name) }

// Close ends the use of the folder and its files.
func (f *Folder) Close() error {
	if f.local {
		return nil
	}
	f.cancel()
	return f.driver.close()
}

// ReadDir lists the folder, sorted by name.
func (f *Folder) ReadDir() ([]fs.DirEntry, error) {
	if f.local {
		return os.ReadDir(f.root)
	}
	return f.readDir("")
}

// Stat describes a file or a folder in it, links followed.
func (f *Folder) Stat(name string) (fs.FileInfo, error) {
	if f.local {
		return os.Stat(f.Path(name))
	}
	e, err := f.entry(name)
	if err != nil {
		return nil, err
	}
	return info{e}, nil
}

// Version tells a file from others of its name, earlier or later, as far as the place
// does: on the local disk by size and time.
func (f *Folder) Version(name string) (string, error) {
	if f.local {
		st, err := os.Stat(f.Path(name))
		if err != nil {
			return "", err
		}
		return fmt.Sprint(st.Size(), " ", st.ModTime().UnixNano()), nil
	}
	e, err := f.entry(name)
	return fmt.Sprint(e.Size, " ", cmp.Or(e.Version, e.ModTime.String())), err
}

// FS gives the folder's files. A file is read when it is opened and must be smaller
// than 128 MiB, unless the folder is of the local disk.
func (f *Folder) FS() fs.FS {
	if f.local {
		return os.DirFS(f.root)
	}
	return files{f}
}

// ReadFile reads a small file: one of at most 128 MiB.
func (f *Folder) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.all()
}

func (f *Folder) readDir(name string) ([]fs.DirEntry, error) {
	entries, err := f.list(name)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && name != "" {
		return nil, &fs.PathError{Op: "readdir", Path: f.Path(name), Err: fs.ErrNotExist}
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = fs.FileInfoToDirEntry(info{e})
	}
	return list, nil
}

// list gives a folder's entries as they were when they were first asked for.
func (f *Folder) list(name string) ([]Entry, error) {
	f.mu.Lock()
	entries, known := f.listed[name]
	f.mu.Unlock()
	if known {
		return entries, nil
	}
	err := f.try("list "+f.Path(name), func(ctx context.Context) (err error) {
		f.requests.Add(1)
		entries, err = f.driver.list(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.listed[name]; ok { // the first answer counts
		return known, nil
	}
	f.listed[name] = entries
	return entries, nil
}

// entry finds a file or folder by its name.
func (f *Folder) entry(name string) (Entry, error) {
	if !fs.ValidPath(name) {
		return Entry{}, &fs.PathError{Op: "open", Path: f.Path(name), Err: fs.ErrInvalid}
	}
	if name == "." {
		return Entry{Name: ".", Dir: true}, nil
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	entries, err := f.list(dir)
	if err != nil {
		return Entry{}, err
	}
	if i, ok := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) }); ok {
		return entries[i], nil
	}
	err = &fs.PathError{Op: "open", Path: f.Path(name), Err: fs.ErrNotExist}
	marker := path.Join(dir, fileMarker(path.Base(name)))
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == marker }) {
		err = fmt.Errorf("%w: %w (%s lies beside it)", err, ErrUnfinished, path.Base(marker))
	}
	return Entry{}, err
}

// ErrNotRegular is of what is no file that can be read: a folder, a device, a pipe.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a file. One of the local disk that is none is an error that satisfies
// errors.Is(err, [ErrNotRegular]).
func (f *Folder) Open(name string) (*File, error) {
	if f.local {
		return OpenLocal(filepath.Join(f.root, filepath.FromSlash(name)))
	}
	e, err := f.entry(name)
	if err != nil {
		return nil, err
	}
	if e.Dir {
		return nil, &fs.PathError{Op: "open", Path: f.Path(name), Err: ErrNotRegular}
	}
	return &File{Path: f.Path(name), size: e.Size, away: &away{folder: f, entry: e}}, nil
}
