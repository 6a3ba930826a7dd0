package fsio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestCollect: into a new folder, one that is there, one that a killed run delivered a
// part to, and one with a file of that name.
func TestCollect(t *testing.T) {
	for name, c := range map[string]struct {
		there map[string]string
		taken bool
	}{
		"new":         {},
		"there":       {there: map[string]string{"own": "x"}},
		"a part":      {there: map[string]string{"a": "text a"}},
		"all of it":   {there: map[string]string{"a": "text a", "b": "text b"}},
		"another b":   {there: map[string]string{"b": "mine"}, taken: true},
		"a shorter b": {there: map[string]string{"b": "text"}, taken: true},
		"a longer b":  {there: map[string]string{"b": "text b and more"}, taken: true},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			folder := filepath.Join(base, "made", "out")
			want := []string{"made", "made/out"}
			for file, text := range c.there {
				if err := os.MkdirAll(folder, 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
				want = append(want, "made/out/"+file)
			}
			col, err := Collect(folder + string(filepath.Separator))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"a", "b"} {
				if err := os.WriteFile(filepath.Join(col.Dir, file), []byte("text "+file), 0o666); err != nil {
					t.Fatal(err)
				}
				if !c.taken {
					want = append(want, "made/out/"+file)
				}
			}
			err = col.Deliver([]string{"a", "b"})
			if c.taken != errors.Is(err, fs.ErrExist) || err != nil && !c.taken {
				t.Errorf("error %v", err)
			}
			col.Discard()
			slices.Sort(want)
			if got := tree(t, base); !slices.Equal(got, slices.Compact(want)) {
				t.Errorf("there is %v, want %v", got, want)
			}
			for file, text := range c.there {
				if got := string(read(t, filepath.Join(folder, file))); got != text {
					t.Errorf("%s now reads %q", file, got)
				}
			}
		})
	}
	base := t.TempDir()
	c, err := Collect(filepath.Join(base, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Discard(); len(tree(t, base)) > 0 {
		t.Errorf("left: %v", tree(t, base))
	}
}
