package place

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// swap writes the marker in the place of the version that this run left, or where there
// is none. The service sees to that by a condition; one that has no conditions is asked
// what lies there first, so that of two runs at once each learns of the other a little
// later: who wrote last goes on.
func (t *Target) swap(ctx context.Context, data []byte) (string, error) {
	expect := cmp.Or(t.version, absent)
	if !t.unguarded {
		version, err := t.put(ctx, t.markerName(), data, expect)
		if !errors.Is(err, errors.ErrUnsupported) {
			return version, err
		}
		t.unguard(err.Error())
	}
	e, err := t.stat(ctx, t.markerName())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Version = absent
	case err != nil:
		return "", err
	}
	if e.Version != expect {
		return "", changed("its version is %s, expected %s", e.Version, expect)
	}
	return t.put(ctx, t.markerName(), data, "")
}

// unguard says that the service does not write on a condition.
func (t *Target) unguard(why string) {
	t.unguarded = true
	if say := said.Load(); say != nil {
		(*say)(fmt.Sprintf("%s: the service does not write on a condition (%s): a second run to this target is noticed, but only after both have begun; have one run write at a time", t.Root(), why))
	}
}

// probe looks whether the service holds to conditions, which some pass over, and, where it
// does not, whether another run claimed the target at the same time. The marker is this
// run's.
func (t *Target) probe(ctx context.Context) error {
	t.mu.Lock()
	if !t.unguarded {
		data, err := t.text()
		var version string
		if err == nil {
			version, err = t.put(ctx, t.markerName(), data, absent)
		}
		switch {
		case err == nil:
			t.version = version
			t.unguard("it wrote over an object on condition that there was none")
		case !errors.Is(err, ErrChanged) && !errors.Is(err, fs.ErrExist):
			t.mu.Unlock()
			return err
		}
	}
	unguarded := t.unguarded
	t.mu.Unlock()
	if !unguarded {
		return nil
	}
	select { // for one that looked when there was none, and has yet to write
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(beat, silence/4)):
	}
	return t.mark(ctx, nil)
}
