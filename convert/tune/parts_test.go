package tune_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
)

// TestParts: layers that are fitted apart, in any order, by several openings of one job,
// are those of the job that fits all by itself, byte for byte, and it fits none again.
func TestParts(t *testing.T) {
	t.Run("selected", func(t *testing.T) { testParts(t, quick, "no planes were chosen yet") })
	// the joined sequences of an extension are drawn by each worker for itself
	t.Run("extended", func(t *testing.T) { testParts(t, extended, "") })
}

func testParts(t *testing.T, quick func(out string) tune.Job, before string) {
	dir := t.TempDir()
	whole, apart := filepath.Join(dir, "whole"), filepath.Join(dir, "apart")
	if _, err := quick(whole).Convert(t.Context(), convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	j := quick(apart)
	if before != "" {
		if _, err := j.Layers(t.Context()); err == nil || !strings.Contains(err.Error(), before) {
			t.Errorf("before it was divided: %v", err)
		}
	}
	n, err := j.Divide(t.Context())
	if err != nil || n != 5 {
		t.Fatalf("%d layers, %v", n, err)
	}
	var both [2]*tune.Layers
	for i := range both {
		if both[i], err = j.Layers(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer both[i].Close()
		if both[i].Count() != n || both[i].Reached() != 0 {
			t.Errorf("%d layers, at %d", both[i].Count(), both[i].Reached())
		}
	}
	for at, i := range []int{3, 4, 1, 0, 2, 3} { // one twice
		l := both[at%2]
		if err := l.Fit(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if at < 5 && l.Reached() != i {
			t.Errorf("at layer %d after %d", l.Reached(), i)
		}
	}
	j.Progress = func(p retrofit.Progress) {
		if p.Stage == "calibrate" {
			t.Errorf("layer %d was fitted again", p.Layer)
		}
	}
	if _, err := j.Convert(t.Context(), convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	a, b := contents(t, whole), contents(t, apart)
	if names := slices.Sorted(maps.Keys(a)); !slices.Equal(names, slices.Sorted(maps.Keys(b))) {
		t.Errorf("files %v and %v", names, slices.Sorted(maps.Keys(b)))
	}
	for name, raw := range a {
		if string(raw) != string(b[name]) {
			t.Errorf("%s has other bytes", name)
		}
	}
	if _, err := os.Stat(apart + ".calibration"); !os.IsNotExist(err) {
		t.Errorf("the work folder: %v", err)
	}
}
