package place

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pecvt/pecvt/convert/fsio"
)

// partlySuffix ends the name of a folder of the cache whose tensor files have holes.
const partlySuffix = ".partly"

// Partly is a folder elsewhere whose files lie on the local disk too: tensor files with
// the parts of them that were asked for, and holes for the rest, all others whole. Its
// methods may be used from several goroutines.
type Partly struct {
	from    *Folder // asked for what is not here
	view    *Folder // reads from here
	staging *staging

	mu    sync.Mutex
	files map[string]*unfinished // tensor files
}

// StagePartly makes a folder of safetensors files that is not on the local disk lie there
// too, as [Stage] does, but for the tensor files: of those nothing comes but what
// [Partly.Fetch] names and what is read through [Partly.Folder], in parts of 8 MiB that
// stay in the cache. No verb takes the folder for a model: a [Marker] lies in it.
func StagePartly(ctx context.Context, text string, progress StageProgress) (*Partly, error) {
	at, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if local, ok := at.Local(); ok {
		return &Partly{view: Local(local), staging: &staging{dir: local}}, nil
	}
	f, err := at.Open(ctx)
	if err != nil {
		return nil, err
	}
	if f.local { // in the hub's cache, and that is all there is
		return &Partly{view: f, staging: &staging{dir: f.root}}, nil
	}
	p := &Partly{from: f, files: map[string]*unfinished{}}
	if err := p.stage(ctx, at.Base(), progress); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	view := &Folder{root: f.root, id: f.id, scheme: f.scheme, driver: partlyDriver{p}, exact: true, listed: map[string][]Entry{}}
	view.ctx, view.cancel = context.WithCancel(ctx)
	p.view = view
	return p, nil
}

// stage fetches what comes whole, and makes the others.
func (p *Partly) stage(ctx context.Context, base string, progress StageProgress) error {
	entries, err := p.from.wanted("", false)
	if err != nil {
		return err
	}
	if p.staging, err = inPlaces(p.from, base, entries, partlySuffix); err != nil {
		return fmt.Errorf("%s: no cache to fetch it to: %w", p.from.root, err)
	}
	var whole []Entry
	var total int64
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, ".safetensors") {
			whole = append(whole, e)
			total += e.Size
		}
	}
	release, err := p.staging.hold(ctx, p.from)
	if err != nil {
		return err
	}
	defer release()
	err = p.staging.fetchAll(ctx, p.from, whole, func(file string, done int64) {
		if progress != nil {
			progress(file, done, total)
		}
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, ".safetensors") {
			continue
		}
		dst := filepath.Join(p.Dir(), filepath.FromSlash(e.Name))
		if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
			return err
		}
		if p.files[e.Name], err = resume(dst, "", e.Size); err != nil {
			return err
		}
	}
	return fsio.WriteWhole(filepath.Join(p.Dir(), Marker), []byte("{}\n"))
}

// Dir is the folder on the local disk.
func (p *Partly) Dir() string { return p.staging.dir }

// Folder reads the files, and has what is not here fetched. Whoever closes it leaves p
// open.
func (p *Partly) Folder() *Folder { return p.view }

// Holes tells whether a file of the folder is one that may have holes.
func (p *Partly) Holes(name string) bool { return p.files[name] != nil }

// Grows tells whether a file of the folder is written to when something is fetched: one
// with holes, or the list of its parts.
func (p *Partly) Grows(name string) bool { return p.Holes(strings.TrimSuffix(name, listSuffix)) }

// Traffic counts what was asked for.
func (p *Partly) Traffic() Traffic {
	if p.from == nil {
		return Traffic{}
	}
	return p.from.Traffic()
}

// Span is bytes of a file.
type Span struct {
	Name           string
	Offset, Length int64
}

// Fetch has bytes of files come that are not here. What the folder does not have in a file
// with holes is passed over.
func (p *Partly) Fetch(ctx context.Context, spans []Span, progress StageProgress) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := map[string]map[int64]bool{}
	var order []string
	var total, done int64
	for _, s := range spans {
		d := p.files[s.Name]
		if d == nil {
			continue
		}
		e, err := p.from.entry(s.Name)
		if err != nil {
			return err
		}
		for part := max(s.Offset, 0) / partBytes; part*partBytes < min(s.Offset+s.Length, e.Size); part++ {
			if d.has(part) || missing[s.Name][part] {
				continue
			}
			if missing[s.Name] == nil {
				missing[s.Name] = map[int64]bool{}
				order = append(order, s.Name)
			}
			missing[s.Name][part] = true
			total += min(partBytes, e.Size-part*partBytes)
		}
	}
	if len(order) == 0 {
		return nil
	}
	release, err := p.staging.hold(ctx, p.from)
	if err != nil {
		return err
	}
	defer release()
	for _, name := range order {
		err := p.fetch(ctx, name, missing[name], func(n int64) {
			done += n
			if progress != nil {
				progress(name, done, total)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fetch fetches parts of a file, with both locks.
func (p *Partly) fetch(ctx context.Context, name string, missing map[int64]bool, progress fsio.Progress) error {
	d := p.files[name]
	e, err := p.from.entry(name)
	if err != nil {
		return err
	}
	if _, err := d.list.Seek(0, io.SeekStart); err != nil { // another process may have been here
		return err
	}
	list, err := io.ReadAll(d.list)
	if err != nil {
		return err
	}
	d.note(string(list), e.Size)
	a := &away{folder: p.from, entry: e}
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(missing)), partsAtOnce*4) {
		here := parts{done: map[int64]bool{}}
		for part := int64(0); part*partBytes < e.Size; part++ {
			here.done[part] = d.has(part) || !slices.Contains(batch, part)
		}
		if err := a.copy(ctx, d.file, 0, 0, e.Size, &here, nil, progress); err != nil {
			return err
		}
		// Nothing compares them with a digest: of a system that stops the list must not
		// say more than the file has.
		if err := d.file.Sync(); err != nil {
			return fsio.WriteError(d.dst, err)
		}
		for _, part := range batch {
			if !d.has(part) {
				d.done[part] = true
				if err := d.add(part); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Close ends the use of the folder. What came stays in the cache.
func (p *Partly) Close() error {
	var errs []error
	for _, d := range p.files {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	if p.from != nil {
		errs = append(errs, p.from.Close())
	}
	return errors.Join(errs...)
}

// partlyDriver reads from the local disk what is there, and has the rest fetched.
type partlyDriver struct{ p *Partly }

func (d partlyDriver) list(_ context.Context, folder string) ([]Entry, error) {
	return d.p.from.list(folder)
}

// read fetches short pieces, samples of tensors above all, without keeping them: each would
// bring a whole part.
func (d partlyDriver) read(ctx context.Context, e Entry, offset, length int64) (io.ReadCloser, error) {
	if d.p.Holes(e.Name) && !d.p.here(e.Name, offset, length) {
		if length <= headBytes {
			data := make([]byte, length)
			if err := d.p.from.fetch(ctx, e, data, offset); err != nil {
				return nil, err
			}
			return io.NopCloser(bytes.NewReader(data)), nil
		}
		// Not in ctx, which ends where one request brings nothing for a while.
		if err := d.p.Fetch(d.p.view.ctx, []Span{{e.Name, offset, length}}, nil); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(filepath.Join(d.p.Dir(), filepath.FromSlash(e.Name)))
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

// here tells whether bytes of a file are on the local disk.
func (p *Partly) here(name string, offset, length int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for part := offset / partBytes; part*partBytes < offset+length; part++ {
		if !p.files[name].has(part) {
			return false
		}
	}
	return true
}

func (partlyDriver) cache(*Folder, string, []Entry) (*staging, error) {
	return nil, errors.ErrUnsupported // it is one
}

// close leaves the folder to whoever has the Partly.
func (partlyDriver) close() error { return nil }

// onDisk is what a file of the cache takes there: one with holes, as many bytes as it has
// parts.
func onDisk(path string, size int64) int64 {
	list, err := os.ReadFile(path + listSuffix)
	if err != nil {
		return size
	}
	return min(size, int64(bytes.Count(list, []byte("\n")))*partBytes)
}
