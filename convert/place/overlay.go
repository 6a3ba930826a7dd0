package place

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// overlay is what a target holds so far, with the files of a folder of the local disk
// that are yet to be written there.
type overlay struct {
	driver
	dir     string
	objects map[string]Entry
}

// Folder reads the result as it stands: the objects that were written, and the files of
// a folder of the local disk as if they were there too. What is written later is not in
// it. Close it before the target.
func (t *Target) Folder(dir string) (*Folder, error) {
	t.mu.Lock()
	objects := map[string]Entry{}
	for name, e := range t.objects {
		objects[name] = e
	}
	t.mu.Unlock()
	f := &Folder{root: t.folder.root, id: t.folder.id, scheme: t.folder.scheme, driver: &overlay{t.folder.driver, dir, objects}, listed: map[string][]Entry{}}
	f.ctx, f.cancel = context.WithCancel(t.ctx)
	return f, nil
}

func (o *overlay) list(_ context.Context, folder string) ([]Entry, error) {
	seen := map[string]bool{}
	var list []Entry
	local, err := os.ReadDir(filepath.Join(o.dir, filepath.FromSlash(folder)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range local {
		st, err := e.Info()
		if err != nil {
			return nil, err
		}
		name := path.Join(folder, e.Name())
		seen[name] = true
		list = append(list, Entry{Name: name, Size: st.Size(), Dir: e.IsDir(), ModTime: st.ModTime()})
	}
	for name, e := range o.objects {
		if dir := path.Dir(name); seen[name] || dir != folder && !(dir == "." && folder == "") {
			continue
		}
		list = append(list, e)
	}
	return list, nil
}

func (o *overlay) read(ctx context.Context, e Entry, offset, length int64) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(o.dir, filepath.FromSlash(e.Name)))
	if errors.Is(err, fs.ErrNotExist) {
		return o.driver.read(ctx, e, offset, length)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

func (o *overlay) cache(*Folder, string, []Entry) (*staging, error) {
	return nil, errors.ErrUnsupported // a target is not done
}

// close leaves the bucket to the target.
func (o *overlay) close() error { return nil }
