package place

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Target is a folder of a bucket that a result is written to, object by object, under
// the protection of a [Marker]. Its methods may be used from several goroutines, Close
// and Finish excepted.
//
// A result is claimed ([Target.Claim]), its objects are written, and Finish takes the
// marker away. Without Finish, Close leaves what is there for a later run of the same
// plan, or, where no object is done, nothing.
type Target struct {
	folder *Folder // whose list is empty
	file   string  // the one object of the result, "" of a folder
	writer writer

	ctx    context.Context // that of all that is written: it ends where the claim is lost
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when nobody renews the claim any more; nil without one

	mu      sync.Mutex
	marker  marker
	version string // of the marker that this run wrote
	// unguarded says that the service does not write on a condition.
	unguarded bool
	done      map[string]Part
	objects   map[string]Entry // of the result

	// unsure says that a request was given up that may yet have an object appear.
	unsure atomic.Bool
	left   bool

	sent, copied, kept atomic.Int64 // bytes
}

// writer is what a kind of place does for a target. Errors are failures.
type writer interface {
	// put writes a small object and gives its version: in the place of the version expect
	// alone, where that is not empty ([absent]: where there is none); errors.ErrUnsupported
	// where the service has no such condition.
	put(ctx context.Context, name string, data []byte, expect string) (version string, err error)
	// begin starts an object of a size that is written in parts.
	begin(ctx context.Context, name string, size int64) (upload, error)
	// copy makes an object one of another folder's, on the server. It is
	// errors.ErrUnsupported where the service does not.
	copy(ctx context.Context, from driver, e Entry, name string, progress func(int64)) error
	remove(ctx context.Context, name string) error
	// abandon ends uploads of objects that nobody finished.
	abandon(ctx context.Context, stray func(name, id string) bool) error
}

// upload is an object under way.
type upload interface {
	// part writes the bytes of part n, from 0 on; all but the last are of the size that
	// was begun with.
	part(ctx context.Context, n int, data []byte) error
	finish(ctx context.Context) error
	abort(ctx context.Context)
	// atOnce is how many parts may be under way, bytes how long one is.
	atOnce() int
	bytes() int64
}

// absent is the version of an object that is not there.
const absent = "absent"

// Writes tells whether the place can be written to.
func (p Place) Writes() bool { return p.url == nil || p.scheme.write != nil }

// Target opens a folder to write to. Nothing is asked for yet.
func (p Place) Target(ctx context.Context) (*Target, error) {
	if p.url == nil || p.scheme.write == nil {
		return nil, fmt.Errorf("target %s: %w", p, errors.ErrUnsupported)
	}
	d, err := p.scheme.open(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	t := &Target{folder: &Folder{root: p.root(), id: p.url.String(), scheme: p.scheme, driver: d}, writer: p.scheme.write(d), done: map[string]Part{}, objects: map[string]Entry{}}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.folder.ctx, t.folder.cancel = t.ctx, func() { t.cancel(nil) }
	return t, nil
}

// TargetFile opens a target that is one object, in the folder that the place is. Its
// marker has another name; the object itself appears at once, when it is whole.
func (p Place) TargetFile(ctx context.Context, name string) (*Target, error) {
	t, err := p.Target(ctx)
	if err == nil {
		t.file = name
	}
	return t, err
}

// markerName is the name of the target's marker.
func (t *Target) markerName() string {
	if t.file != "" {
		return fileMarker(t.file)
	}
	return Marker
}

// Root names the target, by its URL without query; Path an object of it.
func (t *Target) Root() string            { return t.folder.root }
func (t *Target) Path(name string) string { return t.folder.Path(name) }

// Context ends with the one that the target was opened in, or when another run took the
// target over, which its cause says.
func (t *Target) Context() context.Context { return t.ctx }

// List gives the names of what lies there, in folders down to the second too; deeper
// ones are named with a slash behind them. The marker is not among them.
func (t *Target) List(ctx context.Context) ([]Entry, error) {
	all, err := t.all(ctx)
	return slices.DeleteFunc(all, func(e Entry) bool { return e.Name == tried }), err
}

// all is List with what an attempt to write left.
func (t *Target) all(ctx context.Context) ([]Entry, error) {
	if t.file != "" {
		e, err := t.stat(ctx, t.file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []Entry{e}, err
	}
	top, err := t.list(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, e := range top {
		if !e.Dir {
			if e.Name != Marker {
				all = append(all, e)
			}
			continue
		}
		inside, err := t.list(ctx, e.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, inside...)
	}
	return all, nil
}

func (t *Target) list(ctx context.Context, folder string) (entries []Entry, err error) {
	err = t.folder.tryIn(ctx, "list "+t.Path(folder), func(ctx context.Context) (bool, error) {
		t.folder.requests.Add(1)
		entries, err = t.folder.driver.list(ctx, folder)
		return false, err
	})
	return entries, err
}

// stat describes an object as it is now.
func (t *Target) stat(ctx context.Context, name string) (e Entry, err error) {
	err = t.folder.tryIn(ctx, "look for "+t.Path(name), func(ctx context.Context) (bool, error) {
		t.folder.requests.Add(1)
		e, err = t.folder.driver.(stater).stat(ctx, name)
		return false, err
	})
	return e, err
}

// stater describes one object.
type stater interface {
	stat(ctx context.Context, name string) (Entry, error)
}

// Unfinished is what a marker that lies there says.
type Unfinished struct {
	// Plan is what was being written; Files are the names that it, and what it
	// replaces, have.
	Plan  string
	Files []string
	m     *marker
	e     Entry
}

// Unfinished reads the marker; nil where there is none.
func (t *Target) Unfinished(ctx context.Context) (*Unfinished, error) {
	m, e, err := t.readMarker(ctx)
	if m == nil || err != nil {
		return nil, err
	}
	return &Unfinished{m.Plan, append(slices.Clone(m.Files), m.Replaced...), m, e}, nil
}

// Claim makes the target this run's, after older, which Unfinished gave, is known to
// have no run that lives. Files are those that the result is to have as far as that is
// known, replaced those of an older result. What an older run of the same plan wrote is
// kept, where it still is what that run wrote, and so are the parts that it sent of
// others, where their sums are those of what is written now; other uploads that it left
// go.
func (t *Target) Claim(plan string, files, replaced []string, older *Unfinished, there []Entry) error {
	ctx := t.ctx
	t.marker = marker{Pecvt: markerText, Plan: plan, Run: newRun(), Files: files, Replaced: replaced, Done: []Part{}}
	if older != nil {
		if err := t.wait(ctx, older.m); err != nil {
			return err
		}
		t.version = older.e.Version
		t.marker.Beat = older.m.Beat
		t.marker.Replaced = append(append(t.marker.Replaced, older.m.Replaced...), older.m.Files...)
		if older.Plan == plan {
			for _, p := range older.m.Done {
				if i := slices.IndexFunc(there, func(e Entry) bool { return e.Name == p.Name }); i >= 0 && there[i].Size == p.Bytes && there[i].Version == p.Version {
					t.marker.Done = append(t.marker.Done, p)
					t.done[p.Name], t.objects[p.Name] = p, there[i]
				}
			}
			t.marker.Sending = older.m.Sending
		}
	}
	if err := t.mark(ctx, nil); err != nil {
		return err
	}
	if err := t.probe(ctx); err != nil {
		return err
	}
	t.ended = make(chan struct{})
	go t.live()
	return t.abandon(ctx)
}

// abandon ends uploads to the result's names, and to those of an older one, but for those
// that this run goes on with.
func (t *Target) abandon(ctx context.Context) error {
	stray := t.stray(t.marker.Replaced)
	return t.again(ctx, "end uploads to "+t.Root(), func(ctx context.Context) error { return t.writer.abandon(ctx, stray) })
}

func newRun() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// Done gives an object that an older run of the same plan wrote.
func (t *Target) Done(name string) (Part, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.done[name]
	return p, ok
}

// again makes a request that may be made again.
func (t *Target) again(ctx context.Context, what string, request func(context.Context) error) error {
	return t.folder.tryIn(ctx, what, func(ctx context.Context) (bool, error) {
		t.folder.requests.Add(1)
		return false, request(ctx)
	})
}

// appear is again for a request that has an object appear. A service that has it goes on
// with it when the run ends without the answer.
func (t *Target) appear(what string, request func(context.Context) error) error {
	err := t.again(t.ctx, what, request)
	if err != nil && t.ctx.Err() != nil {
		t.unsure.Store(true)
	}
	return err
}

// Put writes a small object.
func (t *Target) Put(name string, data []byte) error {
	if err := t.appear("write "+t.Path(name), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, partPatience)
		defer cancel()
		_, err := t.writer.put(ctx, name, data, "")
		return err
	}); err != nil {
		return err
	}
	t.sent.Add(int64(len(data)))
	return t.note(t.ctx, name, int64(len(data)))
}

func (t *Target) put(ctx context.Context, name string, data []byte, expect string) (version string, err error) {
	err = t.again(ctx, "write "+t.Path(name), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, partPatience)
		defer cancel()
		version, err = t.writer.put(ctx, name, data, expect)
		return err
	})
	return version, err
}

// note takes an object up into the result.
func (t *Target) note(ctx context.Context, name string, size int64) error {
	e, err := t.stat(ctx, name)
	if err != nil {
		return err
	}
	if e.Size != size {
		return fmt.Errorf("%s: %d bytes lie there, written were %d: another program writes there too", t.Path(name), e.Size, size)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.objects[name] = e
	return nil
}

// Record has a later run of the same plan keep an object.
func (t *Target) Record(p Part) error {
	t.mu.Lock()
	e := t.objects[p.Name]
	t.mu.Unlock()
	p.Bytes, p.Version = e.Size, e.Version
	return t.mark(t.ctx, func(m *marker) { m.Done = append(m.Done, p) })
}

// Expect adds to the names that the result is to have.
func (t *Target) Expect(names []string) error {
	return t.mark(t.ctx, func(m *marker) {
		for _, name := range names {
			if !slices.Contains(m.Files, name) {
				m.Files = append(m.Files, name)
			}
		}
	})
}

// Remove removes an object.
func (t *Target) Remove(name string) error { return t.remove(t.ctx, name) }

func (t *Target) remove(ctx context.Context, name string) error {
	err := t.again(ctx, "remove "+t.Path(name), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stall)
		defer cancel()
		return t.writer.remove(ctx, name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Finish removes what an older result, or an unfinished one, had and this one has not,
// checks that what was written is what lies there, and takes the marker away. last are
// written before that, in their order.
func (t *Target) Finish(last []string, text func(name string) ([]byte, error)) error {
	there, err := t.all(t.ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	old := append(slices.Clone(t.marker.Replaced), tried)
	t.mu.Unlock()
	for _, e := range there {
		if _, ours := t.objects[e.Name]; !ours && !slices.Contains(last, e.Name) && slices.Contains(old, e.Name) {
			if err := t.Remove(e.Name); err != nil {
				return err
			}
		}
	}
	for _, name := range last {
		data, err := text(name)
		if err == nil {
			err = t.Put(name, data)
		}
		if err != nil {
			return err
		}
	}
	if there, err = t.List(t.ctx); err != nil {
		return err
	}
	for name, o := range t.objects {
		if !slices.ContainsFunc(there, func(e Entry) bool { return e.Name == name && e.Size == o.Size && e.Version == o.Version }) {
			return fmt.Errorf("%s: another object than was written lies there: another program writes to it: run again when it has ended", t.Path(name))
		}
	}
	if err := t.mark(t.ctx, nil); err != nil { // it is still this run's
		return err
	}
	// Uploads are left of objects that were made in another way this time, and of those that
	// began twice since the answer to the first was lost.
	t.Spoil()
	if err := t.abandon(t.ctx); err != nil {
		return err
	}
	t.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), patience)
	defer cancel()
	return t.remove(ctx, t.markerName())
}

// stop ends what renews the claim, and gives it up.
func (t *Target) stop() (claimed bool) {
	if t.ended == nil {
		return false
	}
	t.cancel(errClosed)
	<-t.ended
	t.ended = nil
	return true
}

var errClosed = errors.New("the target is closed")

// Close ends the use of the target. One that is claimed and not finished is left for a
// later run to finish, or, where nothing was done, as it was.
func (t *Target) Close() error {
	lost := context.Cause(t.ctx)
	if t.stop() && !errors.Is(lost, errTakenOver) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 10*time.Second)
		defer cancel()
		t.leave(ctx)
	}
	t.cancel(nil)
	return t.folder.driver.close()
}

// Left tells, after Close, whether something lies there that a later run of the same plan
// finishes.
func (t *Target) Left() bool { return t.left }

// leave gives the claim up; what fails of it only has a later run wait.
func (t *Target) leave(ctx context.Context) {
	t.writer.abandon(ctx, t.stray(nil))
	there, err := t.List(ctx)
	parts := len(t.marker.Sending) > 0
	if err == nil && len(t.marker.Done)+len(t.marker.Replaced) == 0 && !parts && t.file == "" {
		ours := func(e Entry) bool { return slices.Contains(t.marker.Files, e.Name) }
		for _, e := range there {
			if ours(e) {
				t.remove(ctx, e.Name)
			}
		}
		there = slices.DeleteFunc(there, ours)
	}
	if err != nil || parts || t.unsure.Load() || len(there) > 0 && t.file == "" { // of this result, or of the one that is replaced
		t.left = true
		t.mark(ctx, func(m *marker) { m.Run = "" })
		return
	}
	t.remove(ctx, t.markerName())
}

// Written is what was done to a target.
type Written struct {
	Requests int64 `json:"requests"`
	// Bytes were sent, Copied were copied on the server, Read were read back; Kept are of
	// parts that a run which was ended had sent.
	Bytes    int64 `json:"bytes"`
	Copied   int64 `json:"copied"`
	Read     int64 `json:"read"`
	Repeated int64 `json:"repeated,omitempty"`
	Kept     int64 `json:"kept,omitempty"`
}

// Written counts what was done.
func (t *Target) Written() *Written {
	f := t.folder
	return &Written{f.requests.Load(), t.sent.Load(), t.copied.Load(), f.bytes.Load(), f.repeated.Load(), t.kept.Load()}
}

// Overlaps tells whether a place lies in another of the same service, or is it.
func (p Place) Overlaps(in Place) bool {
	if p.url == nil || in.url == nil || p.scheme != in.scheme || !strings.EqualFold(p.url.Host, in.url.Host) || p.revision != in.revision {
		return false
	}
	// Two endpoints that are spelled out are two services; one that is not may be either.
	if a, b := p.url.Query().Get("endpoint"), in.url.Query().Get("endpoint"); a != "" && b != "" && a != b {
		return false
	}
	return in.url.Path == "" || p.url.Path == in.url.Path || strings.HasPrefix(p.url.Path, in.url.Path+"/")
}

// Same tells whether the target is a folder, or has its one object from there, though
// their URLs differ (two names of an endpoint, an alias of a bucket): all that lies there
// is, by name, version and time, what the folder was listed with.
func (t *Target) Same(f *Folder, there []Entry) bool {
	if f.local || f.scheme != t.folder.scheme {
		return false
	}
	found := false
	for _, e := range there {
		if e.Dir || strings.Contains(e.Name, "/") {
			continue
		}
		o, err := f.entry(e.Name)
		// S3 tells the time of one object in seconds
		if err != nil || o.Dir || o.Size != e.Size || o.Version != e.Version || !o.ModTime.Truncate(time.Second).Equal(e.ModTime.Truncate(time.Second)) {
			return false
		}
		found = true
	}
	return found
}

// SameService tells whether objects of one place can be copied to the other on the
// server.
func (p Place) SameService(o Place) bool {
	return p.url != nil && o.url != nil && p.scheme == o.scheme && p.scheme.write != nil && p.url.RawQuery == o.url.RawQuery
}

// Join is a place in a folder.
func (p Place) Join(name string) Place {
	if p.url == nil {
		return Place{Path: path.Join(p.Path, name)}
	}
	u := *p.url
	u.Path = path.Join(u.Path, name)
	p.url = &u
	return p
}
