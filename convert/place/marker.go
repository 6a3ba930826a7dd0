package place

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Marker is the object that says that the folder it lies in is not done: it comes
// before everything else of a result, and goes when all of it is there.
const Marker = ".pecvt-partial.json"

// fileMarker is the marker of a result that is one file, which lies beside it.
func fileMarker(name string) string { return "." + name + Marker }

// ErrUnfinished is of a folder that a result is being written to, or of which the run
// that wrote it was ended.
var ErrUnfinished = errors.New("a result that is not finished: the command that writes it has not ended, or the same command finishes it")

// Part is an object of a result that is there.
type Part struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Version string `json:"version"`
	// How it came about, and its sums, as whoever wrote it has them.
	How    string `json:"how"`
	CRC32C string `json:"crc32c,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// marker is the marker's text.
type marker struct {
	Pecvt string `json:"pecvt"` // what the file is, for people
	// Plan says what is being written: another plan has another.
	Plan string `json:"plan"`
	// Run is the process that writes, "" where it ended, Beat changes while it lives.
	Run  string `json:"run"`
	Beat int64  `json:"beat"`
	// Files are those that the result is to have; Replaced those of an older one.
	Files    []string `json:"files"`
	Replaced []string `json:"replaced,omitempty"`
	Done     []Part   `json:"done"`
	// Sending are uploads under way, of which parts may be there.
	Sending []sending `json:"sending,omitempty"`
}

const markerText = "this folder is being written and is no model yet; the same command finishes it if it was ended"

// maxMarker bounds a marker before it is read.
const maxMarker = 64 << 20

var (
	// beat is how often a run says that it lives, silence how long another one waits for
	// that before it takes it for dead.
	beat    = 2 * time.Second
	silence = 7 * time.Second
)

// readMarker reads the marker as it is now; nil where there is none.
func (t *Target) readMarker(ctx context.Context) (*marker, Entry, error) {
	var e Entry
	var data []byte
	for try := 0; ; try++ { // it is replaced all the time
		var err error
		if e, err = t.stat(ctx, t.markerName()); errors.Is(err, fs.ErrNotExist) {
			return nil, Entry{}, nil
		}
		if err == nil && e.Size > maxMarker {
			err = fmt.Errorf("%s: %d bytes: no file of pecvt's", t.Path(t.markerName()), e.Size)
		}
		if err == nil {
			data = make([]byte, e.Size)
			err = t.folder.fetch(ctx, e, data, 0)
		}
		if err == nil {
			break
		}
		if !(errors.Is(err, ErrChanged) || errors.Is(err, fs.ErrNotExist)) || try == 9 {
			return nil, Entry{}, err
		}
	}
	m := &marker{}
	if err := json.Unmarshal(data, m); err != nil || m.Pecvt == "" || m.Plan == "" {
		return nil, Entry{}, fmt.Errorf("%s: not the file that pecvt writes while a result is made: remove it if nobody writes to %s", t.Path(t.markerName()), t.Root())
	}
	return m, e, nil
}

// wait waits until the marker's run has not been heard of for a while.
func (t *Target) wait(ctx context.Context, m *marker) error {
	if m.Run == "" {
		return nil
	}
	if say := said.Load(); say != nil {
		(*say)(fmt.Sprintf("%s: a run that has not ended wrote there: waiting %s to see whether it lives", t.Root(), silence))
	}
	for begin := time.Now(); time.Since(begin) < silence; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(beat, silence/4)):
		}
		now, _, err := t.readMarker(ctx)
		if err != nil {
			return err
		}
		if now == nil || now.Run != m.Run || now.Beat != m.Beat {
			return fmt.Errorf("target %s: another run writes there: wait until it has ended, or choose another", t.Root())
		}
	}
	return nil
}

// text is the marker's.
func (t *Target) text() ([]byte, error) {
	data, err := json.MarshalIndent(t.marker, "", " ")
	return append(data, '\n'), err
}

// mark writes the marker anew, after change, where it still is as this run left it.
func (t *Target) mark(ctx context.Context, change func(*marker)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if change != nil {
		change(&t.marker)
	}
	for try := 0; ; try++ {
		t.marker.Beat++
		data, err := t.text()
		if err != nil {
			return err
		}
		version, err := t.swap(ctx, data)
		if err == nil {
			t.version = version
			return nil
		}
		if !errors.Is(err, ErrChanged) && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		now, e, rerr := t.readMarker(ctx)
		switch {
		case rerr != nil:
			return rerr
		case now != nil && now.Run == t.marker.Run && try < 3: // an answer was lost
			t.version = e.Version
			if now.Beat == t.marker.Beat {
				return nil
			}
		case t.version == "":
			return fmt.Errorf("target %s: another run began to write there: wait until it has ended, or choose another", t.Root())
		default:
			return fmt.Errorf("target %s: %w", t.Root(), errTakenOver)
		}
	}
}

var errTakenOver = errors.New("another run took the target over, or its " + Marker + " was removed, while this one wrote there: run again when nobody else writes to it")

// live says that this run lives until the target is closed.
func (t *Target) live() {
	defer close(t.ended)
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-time.After(beat):
		}
		if err := t.mark(t.ctx, nil); err != nil && t.ctx.Err() == nil {
			t.cancel(err)
		}
	}
}
