package place_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// write writes an object whole, and tells what was sent of it and what was there.
func write(t *testing.T, x *place.Target, name string, data []byte) (sent, kept int64) {
	t.Helper()
	before := *x.Written()
	u, err := x.Create(name, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort()
	if _, err := io.Copy(u, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	after := x.Written()
	return after.Bytes - before.Bytes, after.Kept - before.Kept
}

// An object whose run was ended in its middle is gone on with at its parts, those that
// hold what is written now: whatever they hold, its bytes are those that are written.
func TestTargetParts(t *testing.T) {
	place.ShortBeats(t)
	const part = 8 << 20
	data := numbers(5*part + 7)
	other := bytes.Clone(data)
	other[part+3] ^= 1
	for what, c := range map[string]struct {
		end        func(x *place.Target, u *place.Upload, kill func())
		plan       string
		data       []byte
		sent, kept int64
	}{
		"killed":             {func(_ *place.Target, _ *place.Upload, kill func()) { kill() }, "p", data, 2*part + 7, 3 * part},
		"ended":              {func(x *place.Target, u *place.Upload, _ func()) { u.Abort(); x.Close() }, "p", data, 2*part + 7, 3 * part},
		"other bytes":        {func(_ *place.Target, _ *place.Upload, kill func()) { kill() }, "p", other, 3*part + 7, 2 * part},
		"shorter":            {func(_ *place.Target, _ *place.Upload, kill func()) { kill() }, "p", data[:2*part+part/2], part / 2, 2 * part},
		"another plan":       {func(_ *place.Target, _ *place.Upload, kill func()) { kill() }, "q", data, 5*part + 7, 0},
		"a source that went": {func(x *place.Target, u *place.Upload, _ func()) { u.Abort(); x.Spoil(); x.Close() }, "p", data, 5*part + 7, 0},
	} {
		t.Run(what, func(t *testing.T) {
			s := placetest.StartS3(t)
			at, err := place.Parse(s.URL("out"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, kill := context.WithCancel(context.Background())
			defer kill()
			x, err := at.Target(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim(x, "p", "a", "config.json"); err != nil {
				t.Fatal(err)
			}
			u, err := x.Create("a", int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write(data[:3*part+9]); err != nil {
				t.Fatal(err)
			}
			if err := u.Failed(); err != nil { // three parts are sent
				t.Fatal(err)
			}
			c.end(x, u, kill)
			if _, err := openErr(s.URL("out")); what != "a source that went" && err == nil {
				t.Error("what is not finished is read")
			}
			again := target(t, s.URL("out"))
			if err := claim(again, c.plan, "a", "config.json"); err != nil {
				t.Fatal(err)
			}
			if sent, kept := write(t, again, "a", c.data); sent != c.sent || kept != c.kept {
				t.Errorf("%d bytes were sent and %d kept, want %d and %d", sent, kept, c.sent, c.kept)
			}
			if err := again.Finish([]string{"config.json"}, func(string) ([]byte, error) { return []byte("{}"), nil }); err != nil {
				t.Fatal(err)
			}
			if got, err := open(t, s.URL("out")).ReadFile("a"); err != nil || !bytes.Equal(got, c.data) {
				t.Errorf("%d bytes, %v: not those that were written", len(got), err)
			}
			if got := names(t, s, "out"); !slices.Equal(got, []string{"a", "config.json"}) || s.Uploads(t) != 0 {
				t.Errorf("there are %q and %d uploads", got, s.Uploads(t))
			}
		})
	}
}

// An upload that the service has dropped meanwhile, or tells no parts of, is begun anew;
// of one that the next run needs no more nothing is left.
func TestTargetPartsGone(t *testing.T) {
	place.ShortBeats(t)
	place.ShortWaits(t)
	const part = 8 << 20
	data := numbers(3 * part)
	for what, c := range map[string]struct {
		status int
		small  bool
	}{"dropped": {status: 404}, "no lists": {status: 501}, "not needed": {small: true}} {
		t.Run(what, func(t *testing.T) {
			s := placetest.StartS3(t)
			x := target(t, s.URL("out"))
			if err := claim(x, "p", "a"); err != nil {
				t.Fatal(err)
			}
			u, err := x.Create("a", int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			u.Write(data[:2*part+1])
			if err := u.Failed(); err != nil {
				t.Fatal(err)
			}
			u.Abort()
			x.Close()
			if !x.Left() || s.Uploads(t) != 1 {
				t.Fatalf("left: %v, %d uploads, want one", x.Left(), s.Uploads(t))
			}
			p := s.Proxy(t)
			p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				lists := c.status != 0 && r.Method == http.MethodGet && r.URL.Query().Has("uploadId")
				if lists {
					w.WriteHeader(c.status)
				}
				return lists
			})
			again := target(t, s.Through(p, "out"))
			if err := claim(again, "p", "a"); err != nil {
				t.Fatal(err)
			}
			want := data
			if c.small {
				want = data[:100]
			}
			if sent, kept := write(t, again, "a", want); sent != int64(len(want)) || kept != 0 {
				t.Errorf("%d bytes were sent and %d kept, want all %d sent", sent, kept, len(want))
			}
			if err := again.Finish(nil, nil); err != nil {
				t.Fatal(err)
			}
			if got, err := open(t, s.URL("out")).ReadFile("a"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v: not those that were written", len(got), err)
			}
			if n := s.Uploads(t); n != 0 && what != "dropped" { // which the service has not dropped in truth
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}
