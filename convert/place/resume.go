package place

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// sending is an upload that was begun and is recorded in the marker: a later run of the
// same plan goes on with the parts that are there.
type sending struct {
	Name   string `json:"name"`
	Upload string `json:"upload"` // as the service calls it
}

// resumer is a writer that goes on with uploads of other runs.
type resumer interface {
	// resume is begin for an upload that there is; fs.ErrNotExist where it is gone.
	resume(ctx context.Context, name, id string, size int64) (upload, error)
}

// resumable is an upload that a later run can go on with.
type resumable interface {
	upload
	id() string
	// has tells whether part n is there already with these bytes, by its length and sum.
	has(n int, data []byte) bool
	// begun tells whether any part is there.
	begun() bool
}

// begin starts an object that is sent in parts, or goes on with what an older run of the
// plan sent of it.
func (t *Target) begin(name string, size int64) (up upload, err error) {
	if r, ok := t.writer.(resumer); ok {
		if id := t.recorded(name); id != "" {
			err := t.again(t.ctx, "go on with "+t.Path(name), func(ctx context.Context) (err error) {
				ctx, cancel := context.WithTimeout(ctx, partPatience)
				defer cancel()
				up, err = r.resume(ctx, name, id, size)
				return err
			})
			if !errors.Is(err, fs.ErrNotExist) {
				return up, err
			}
		}
	}
	if err := t.again(t.ctx, "begin "+t.Path(name), func(ctx context.Context) (err error) {
		up, err = t.writer.begin(ctx, name, size)
		return err
	}); err != nil {
		return nil, err
	}
	r, ok := up.(resumable)
	if !ok {
		return up, nil
	}
	err = t.mark(t.ctx, func(m *marker) {
		m.Sending = append(m.without(name), sending{name, r.id()})
	})
	if err != nil {
		t.forget(name)
		end(t.ctx, up)
	}
	return up, err
}

// without is what is being sent but for an object.
func (m *marker) without(name string) []sending {
	return slices.DeleteFunc(slices.Clone(m.Sending), func(s sending) bool { return s.Name == name })
}

// recorded is the upload of an object that was recorded, "" where there is none.
func (t *Target) recorded(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.marker.Sending {
		if s.Name == name {
			return s.Upload
		}
	}
	return ""
}

// forget takes an upload that ended out of what is recorded; the next mark writes that.
func (t *Target) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marker.Sending = t.marker.without(name)
}

// stray tells of uploads to the result's objects, and to the names besides, whether
// nobody will go on with them.
func (t *Target) stray(names []string) func(name, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept, files := t.marker.Sending, t.marker.Files
	return func(name, id string) bool {
		return (slices.Contains(files, name) || slices.Contains(names, name)) && !slices.Contains(kept, sending{name, id})
	}
}

// Spoil says that no later run goes on with parts of objects: what they were made of is
// not what it was, or cannot be made.
func (t *Target) Spoil() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marker.Sending = nil
}

// leaves tells whether an upload that ended early stays for a later run.
func (t *Target) leaves(up upload) bool {
	r, ok := up.(resumable)
	// who took the target over may be going on with it
	return ok && (r.begun() || errors.Is(context.Cause(t.ctx), errTakenOver))
}

// end gives an upload up.
func end(ctx context.Context, up upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	up.abort(ctx)
}
