package storetest

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Run judges a store that holds exactly the tensors of want. It calls open for
// each of its stores and closes them.
func Run(t *testing.T, open func(t testing.TB) store.Store, want map[string]Tensor) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, s store.Store, want map[string]Tensor)
	}{
		{"names", names}, {"bytes", allBytes}, {"rows", rows}, {"walk", walk}, {"place", place}, {"files", files},
		{"missing", missing}, {"concurrent", concurrent}, {"release", release}, {"fingerprint", fingerprint(open)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			c.check(t, s, want)
		})
	}
}

func names(t *testing.T, s store.Store, want map[string]Tensor) {
	if got := s.Names(); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("names %q, want %q", got, slices.Sorted(maps.Keys(want)))
	}
	for name, w := range want {
		info, ok := s.Lookup(name)
		if !ok || info.Name != name || info.DType != w.DType || !slices.Equal(info.Shape, w.Shape) || info.Bytes() != int64(len(w.Data)) {
			t.Errorf("%s: %+v, %v; want %s %v of %d bytes", name, info, ok, w.DType, w.Shape, len(w.Data))
		}
	}
	if s.Root() == "" || s.FS() == nil {
		t.Errorf("root %q, files %v: messages need a root, a model its config.json", s.Root(), s.FS())
	}
}

// holds compares everything that reads a tensor with its bytes.
func holds(s store.Store, name string, w Tensor) error {
	raw, err := store.Bytes(s, name)
	if err != nil {
		return err
	}
	r, err := s.Section(name)
	if err != nil {
		return err
	}
	section, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, w.Data) || !bytes.Equal(section, w.Data) || r.Size() != int64(len(w.Data)) {
		return store.Errorf(s, name, "%d bytes, %d in a section: they are not the %d stored", len(raw), len(section), len(w.Data))
	}
	if cap(raw) != len(raw) {
		return store.Errorf(s, name, "an append to its bytes would write behind them")
	}
	return nil
}

func allBytes(t *testing.T, s store.Store, want map[string]Tensor) {
	for name, w := range want {
		if err := holds(s, name, w); err != nil {
			t.Error(err)
		}
	}
}

func rows(t *testing.T, s store.Store, want map[string]Tensor) {
	for name, w := range want {
		n := int64(1)
		if len(w.Shape) > 0 {
			n = w.Shape[0]
		}
		for _, r := range [][2]int64{{0, n}, {0, n / 2}, {n / 2, n}, {n / 3, n / 2}, {n, n}} {
			from, to, cut := tensor.RowBytes(w.DType, w.Shape, r[0], r[1])
			got, err := store.ReadRows(s, name, r[0], r[1])
			if (err != nil) != (cut != nil) || cut == nil && !bytes.Equal(got, w.Data[from:to]) {
				t.Errorf("%s: rows %v: %d bytes, %v; want %d, %v", name, r, len(got), err, to-from, cut)
			}
		}
		for _, r := range [][2]int64{{-1, 0}, {0, n + 1}, {n, n - 1}} {
			if _, err := store.ReadRows(s, name, r[0], r[1]); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: rows %v: error %v, want one that names the tensor", name, r, err)
			}
		}
		for _, r := range [][2]int64{{-1, 0}, {0, int64(len(w.Data)) + 1}, {1, 0}} {
			if _, err := s.Read(name, r[0], r[1]); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: bytes %v: error %v, want one that names the tensor", name, r, err)
			}
		}
	}
}

func walk(t *testing.T, s store.Store, want map[string]Tensor) {
	stop := errors.New("stop")
	for name, w := range want {
		_, unit := w.DType.Unit()
		var got []byte
		err := s.Walk(name, func(offset int64, piece []byte) error {
			if offset != int64(len(got)) || len(piece) == 0 || len(piece)%unit != 0 {
				t.Errorf("%s: a piece of %d bytes at %d, expected whole units of %d at %d", name, len(piece), offset, unit, len(got))
			}
			got = append(got, piece...)
			return nil
		})
		if err != nil || !bytes.Equal(got, w.Data) {
			t.Errorf("%s: a walk through %d bytes, %v; want %d", name, len(got), err, len(w.Data))
		}
		if err := s.Walk(name, func(int64, []byte) error { return stop }); len(w.Data) > 0 && err != stop {
			t.Errorf("%s: the visit's error became %v", name, err)
		}
	}
}

// place reads every tensor where it is said to lie.
func place(t *testing.T, s store.Store, want map[string]Tensor) {
	for name, w := range want {
		p, ok := s.Place(name)
		if !ok || strings.Contains(p.File, "://") {
			continue
		}
		f, err := os.Open(p.File)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := make([]byte, len(w.Data))
		if _, err := f.ReadAt(got, p.Offset); err != nil && len(got) > 0 {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
		if p.Length != int64(len(w.Data)) || !bytes.Equal(got, w.Data) {
			t.Errorf("%s: %+v does not hold its %d bytes", name, p, len(w.Data))
		}
	}
}

// files checks that the description of the files agrees with the places.
func files(t *testing.T, s store.Store, want map[string]Tensor) {
	seen := map[string]bool{}
	for _, f := range s.Files() {
		at := f.DataStart
		if f.Path == "" || f.Format == "" || f.HeaderSHA256 == "" {
			t.Errorf("%+v: path, format and header's hash are needed", f)
		}
		for _, name := range f.Tensors {
			p, ok := s.Place(name)
			if !ok || p.File != f.Path || p.Offset < at || p.Offset+p.Length > f.Size || seen[name] {
				t.Errorf("%s: %s at %+v, after byte %d of %d (twice: %v)", f.Path, name, p, at, f.Size, seen[name])
			}
			at, seen[name] = p.Offset+p.Length, true
		}
	}
	for name := range want {
		if _, ok := s.Place(name); len(s.Files()) > 0 && ok != seen[name] {
			t.Errorf("%s: has a place: %v, in one of the files: %v", name, ok, seen[name])
		}
	}
}

func missing(t *testing.T, s store.Store, _ map[string]Tensor) {
	const name = "no.such.tensor"
	if info, ok := s.Lookup(name); ok {
		t.Errorf("%s is found: %+v", name, info)
	}
	if p, ok := s.Place(name); ok {
		t.Errorf("%s lies at %+v", name, p)
	}
	_, read := s.Read(name, 0, 0)
	_, section := s.Section(name)
	_, all := store.Bytes(s, name)
	_, some := store.ReadRows(s, name, 0, 0)
	for what, err := range map[string]error{"Read": read, "Section": section, "Bytes": all, "ReadRows": some,
		"Walk": s.Walk(name, func(int64, []byte) error { return nil }), "CheckFinite": store.CheckFinite(s, name)} {
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), s.Root()) {
			t.Errorf("%s: error %v, want one that names the tensor and the store", what, err)
		}
	}
	s.Release(name)
}

func concurrent(t *testing.T, s store.Store, want map[string]Tensor) {
	var g sync.WaitGroup
	for range 4 {
		g.Add(1)
		go func() {
			defer g.Done()
			for name, w := range want {
				if err := holds(s, name, w); err != nil {
					t.Error(err)
				}
				s.Release(name)
			}
		}()
	}
	g.Wait()
}

func release(t *testing.T, s store.Store, want map[string]Tensor) {
	for name, w := range want {
		before, err := store.Bytes(s, name)
		if err != nil {
			t.Fatal(err)
		}
		s.Release(name)
		if err := holds(s, name, w); err != nil || !bytes.Equal(before, w.Data) {
			t.Errorf("%s: after Release: %v; what was read before is right: %v", name, err, bytes.Equal(before, w.Data))
		}
	}
}

func fingerprint(open func(t testing.TB) store.Store) func(t *testing.T, s store.Store, want map[string]Tensor) {
	return func(t *testing.T, s store.Store, _ map[string]Tensor) {
		other := open(t)
		defer other.Close()
		a, err := s.Fingerprint()
		if err != nil || a == "" {
			t.Fatalf("fingerprint %q, %v", a, err)
		}
		if b, err := other.Fingerprint(); err != nil || a != b {
			t.Errorf("fingerprints %s and %s of one content (%v)", a, b, err)
		}
	}
}
