package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// target is the folder, or the one file, that a result goes to, and the temporary
// folder beside it.
type target struct {
	path string
	// temporary is the folder that is filled, in own.
	temporary string
	own       *fsio.Temporary
	exists    bool
	// file says that the result is the file of the target's name in the temporary
	// folder.
	file bool
	// parents are folders made on the way, outermost first.
	parents []string
	done    bool
}

// targetPlace is where a result goes, and what it is called.
func targetPlace(output string) (to place.Place, name string, err error) {
	if to, err = place.Parse(output); err != nil {
		return to, "", fmt.Errorf("target: %w", err)
	}
	if !to.Writes() {
		return to, "", fmt.Errorf("target %s: writing there is %w: name a bucket, or a folder of the local disk, which the hub's own client sends", to, posenc.ErrUnsupported)
	}
	if path, local := to.Local(); local {
		return to, path, nil
	}
	return to, to.String(), nil
}

// Beside is a path of the local disk of the target's name, for what is kept beside it
// while it is made: the target's own, or, of one elsewhere, one in the current folder.
func (p *Plan) Beside() string {
	if p.isAway() {
		return p.to.Base()
	}
	return p.Output
}

// CheckTarget says before any work what Run would say of the target: that it is
// there already, may not be replaced, or cannot be written. Nothing stays of the
// attempt.
func (p *Plan) CheckTarget(force bool) error {
	if p.isAway() {
		return p.checkAway(context.Background(), force)
	}
	t, err := p.prepareTarget(force)
	if err != nil {
		return err
	}
	t.discard()
	return nil
}

// prepareTarget checks that the target may be written and makes the temporary
// folder.
func (p *Plan) prepareTarget(force bool) (*target, error) {
	path, err := filepath.Abs(p.Output)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", p.Output, err)
	}
	t := &target{path: path, file: p.oneFile()}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("target %s: not a directory: choose another", p.Output)
	case err != nil:
		return nil, fmt.Errorf("target %s: %w", p.Output, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("target %s is a symbolic link: name the %s itself", p.Output, t.kind())
	case t.file && !info.Mode().IsRegular():
		return nil, fmt.Errorf("target %s exists and is not a file: choose another", p.Output)
	case !t.file && !info.IsDir():
		return nil, fmt.Errorf("target %s exists and is not a folder: choose another", p.Output)
	case !force:
		return nil, fmt.Errorf("target %s %w", p.Output, errTaken)
	default:
		t.exists = true
	}
	if err := p.keepApart(path); err != nil {
		return nil, err
	}
	if t.exists {
		if err := t.replaceable(p.Output); err != nil {
			return nil, err
		}
	}
	if err := t.makeParents(filepath.Dir(path)); err != nil {
		t.discard()
		return nil, fmt.Errorf("target %s: %w; choose another", p.Output, err)
	}
	if t.own, err = fsio.NewTemporary(filepath.Dir(path), filepath.Base(path)); err != nil {
		t.discard()
		return nil, fmt.Errorf("target %s: cannot write beside it: %w; choose another", p.Output, bare(err))
	}
	t.temporary = t.own.Dir
	return t, nil
}

// keepApart refuses a target that holds the source, is it, or lies in a source
// folder that was named as the model.
func (p *Plan) keepApart(path string) error {
	real, err := resolve(path)
	if err != nil {
		return fmt.Errorf("target %s: %w", p.Output, err)
	}
	if dir, local := p.folder.Local(); local {
		if err := p.keepFrom(dir, real); err != nil {
			return err
		}
	}
	if here, err := os.Getwd(); err == nil {
		if here, err := resolve(here); err == nil && within(here, real) {
			return fmt.Errorf("target %s is the current folder or holds it: change to another folder first", p.Output)
		}
	}
	return nil
}

// keepFrom keeps a target from the source's folder.
func (p *Plan) keepFrom(named, real string) error {
	dir, err := filepath.Abs(named)
	if err != nil {
		return fmt.Errorf("source %s: %w", named, err)
	}
	// Files of the source may be links that lead elsewhere: those places count.
	guarded := []string{dir}
	for _, f := range p.source.Files {
		guarded = append(guarded, filepath.Join(dir, f.Name))
	}
	for _, g := range guarded {
		if g, err = resolve(g); err != nil {
			return fmt.Errorf("source %s: %w", named, err)
		}
		if within(g, real) {
			return fmt.Errorf("target %s holds the source %s: the source is never written to; choose another target", p.Output, g)
		}
	}
	source, err := resolve(dir)
	if err != nil {
		return fmt.Errorf("source %s: %w", named, err)
	}
	if !p.fromFile && within(real, source) {
		return fmt.Errorf("target %s lies inside the source %s: the source is never written to; choose another target", p.Output, source)
	}
	return nil
}

// resolve follows symbolic links in the part of a path that exists.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	parent := filepath.Dir(path)
	if !errors.Is(err, fs.ErrNotExist) || parent == path {
		return "", err
	}
	if real, err = resolve(parent); err != nil {
		return "", err
	}
	return filepath.Join(real, filepath.Base(path)), nil
}

// within reports whether path is folder or lies in it.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// makeParents makes the folders above the target that are missing.
func (t *target) makeParents(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("folder %s: %w", dir, bare(err))
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := t.makeParents(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return fmt.Errorf("the folder %s cannot be made: %w", dir, bare(err))
	}
	t.parents = append(t.parents, dir)
	return nil
}

// bare is what the system said, without the temporary path it said it of.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// discard removes what was made and was not put in place.
func (t *target) discard() {
	if t == nil {
		return
	}
	t.own.Remove()
	if t.done {
		return
	}
	for i := len(t.parents) - 1; i >= 0; i-- {
		os.Remove(t.parents[i]) // fails, as it should, where someone else uses it
	}
	t.parents = nil
}

// commit renames the temporary folder, durable first if asked for. An older target
// stays where it is if that fails.
// linked names files that share the source's data, which is durable already.
func (t *target) commit(durable bool, linked map[string]bool) error {
	if durable {
		if err := syncTree(t.temporary, linked); err != nil {
			return err
		}
	}
	if t.exists {
		// a run takes long enough for files to come into the old one
		if err := t.replaceable(t.path); err != nil {
			return err
		}
	}
	if err := t.place(); err != nil {
		if errors.Is(err, fs.ErrExist) && !t.exists {
			return fmt.Errorf("target %s %w", t.path, errTaken)
		}
		return fmt.Errorf("target %s: cannot put the result in its place: %w", t.path, err)
	}
	t.done = true
	if durable {
		if err := syncPath(filepath.Dir(t.path)); err != nil {
			return err
		}
	}
	if err := t.own.Remove(); err != nil {
		return fmt.Errorf("the result is in place, but what was temporary remains beside it: %w", err)
	}
	return nil
}

// errTaken says that another run was first.
var errTaken = errors.New("exists: choose another, or replace it with " + hint.Replace)

// place renames the temporary folder, or the file in it, to the target's name. Where
// another run put a target there meanwhile, that is an error.
func (t *target) place() error {
	from := t.temporary
	if t.file {
		from = filepath.Join(from, filepath.Base(t.path))
	}
	switch {
	case !t.exists:
		return fsio.Put(from, t.path)
	case t.file:
		return os.Rename(from, t.path)
	}
	return t.own.Replace(from, t.path)
}

// syncTree makes a folder's files durable, but for those to skip, then the
// folder.
func syncTree(dir string, skip map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if err := syncTree(path, nil); err != nil {
				return err
			}
			continue
		}
		if skip[e.Name()] {
			continue
		}
		if err := syncPath(path); err != nil {
			return err
		}
	}
	return syncPath(dir)
}

// syncPath makes one file or folder durable. Systems that cannot sync a folder,
// or a file that is open for reading, are taken as they are.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		info, serr := f.Stat()
		if serr == nil && info.IsDir() || errors.Is(err, fs.ErrPermission) {
			return nil
		}
		return fsio.WriteError(path, err)
	}
	return nil
}
