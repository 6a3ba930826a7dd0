package place_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// open opens a folder by its URL.
func open(t testing.TB, url string) *place.Folder {
	t.Helper()
	f, err := openErr(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func openErr(url string) (*place.Folder, error) {
	at, err := place.Parse(url)
	if err != nil {
		return nil, err
	}
	return at.Open(context.Background())
}

// numbers is data whose every part differs from every other.
func numbers(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// The files of a bucket's folder are what was put there, and no others.
func TestFiles(t *testing.T) { placetest.Each(t, testFiles) }

func testFiles(t *testing.T, s *placetest.Server) {
	want := map[string][]byte{"config.json": []byte("{}"), "weights #1+2.bin": numbers(1000), "sub/a.json": []byte("[1]"), "empty": {}}
	for name, data := range want {
		s.Put(t, "a/model/"+name, data)
	}
	s.Put(t, "a/model-2/config.json", []byte("other"))
	s.Put(t, "a/models", []byte("other"))
	f := open(t, s.URL("a/model"))
	if f.Root() != s.Root("a/model") {
		t.Errorf("root %q", f.Root())
	}
	for name, data := range want {
		got, err := f.ReadFile(name)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	entries, err := f.ReadDir()
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || !slices.Equal(names, []string{"config.json", "empty", "sub", "weights #1+2.bin"}) {
		t.Errorf("%q, %v", names, err)
	}
	if err := fstest.TestFS(f.FS(), "config.json", "sub/a.json", "empty"); err != nil {
		t.Error(err)
	}
	if _, err := f.Open("sub"); !errors.Is(err, place.ErrNotRegular) {
		t.Errorf("a folder is opened: %v", err)
	}
	for _, name := range []string{"no", "sub/no", "no/a.json", "../model-2/config.json"} {
		if _, err := f.ReadFile(name); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	root := open(t, s.URL("")) // the bucket itself
	if data, err := root.ReadFile("a/models"); err != nil || string(data) != "other" {
		t.Errorf("a file below the bucket: %q, %v", data, err)
	}
}

// Bytes read by range are those of the file, in whichever order they are asked for.
func TestRanges(t *testing.T) { placetest.Each(t, testRanges) }

func testRanges(t *testing.T, s *placetest.Server) {
	data := numbers(37<<20 + 12345)
	s.Put(t, "m/x", data)
	f := open(t, s.URL("m"))
	x, err := f.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	if x.Size() != int64(len(data)) {
		t.Fatalf("%d bytes", x.Size())
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		at, n := r.IntN(len(data)), 1+r.IntN(1<<uint(r.IntN(25)))
		p := make([]byte, n)
		got, err := x.Reader().ReadAt(p, int64(at))
		want := data[at:min(at+n, len(data))]
		if !bytes.Equal(p[:got], want) || (err == io.EOF) != (got < n) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d: %d, %v", n, at, got, err)
		}
	}
	before := f.Traffic()
	all, err := io.ReadAll(io.NewSectionReader(x.Reader(), 0, x.Size()))
	if err != nil || !bytes.Equal(all, data) {
		t.Fatalf("from front to back: %d bytes, %v", len(all), err)
	}
	after := f.Traffic()
	// from front to back nothing comes twice but what is in the head or was read before
	// it was seen where the reader goes
	if n := after.Bytes - before.Bytes; n > int64(len(data))+1<<20 {
		t.Errorf("%d bytes were read for %d", n, len(data))
	}
	if n := after.Requests - before.Requests; n > 20 {
		t.Errorf("%d requests", n)
	}
	dst := filepath.Join(t.TempDir(), "x")
	told := int64(0)
	var seen bytes.Buffer
	if _, err := f.Copy(context.Background(), "x", dst, &seen, func(n int64) { told += n }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(seen.Bytes(), data) {
		t.Error("the copied bytes are seen in another order")
	}
	if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, data) || told != int64(len(data)) {
		t.Errorf("copied %d bytes, told of %d, %v", len(got), told, err)
	}
	if _, err := f.Copy(context.Background(), "x", dst, nil, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Copy(ctx, "x", dst+"2", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Stat(dst + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy that was cancelled is there: %v", err)
	}
}

// What a service refuses is one error that names the place and says what to do.
func TestRefusals(t *testing.T) { placetest.Each(t, testRefusals) }

func testRefusals(t *testing.T, s *placetest.Server) {
	s.Put(t, "m/x", numbers(300_000))
	for _, c := range []struct {
		url   string
		kind  error
		words []string
	}{
		{s.At("no-such-bucket", "m"), fs.ErrNotExist, []string{s.Scheme() + "://no-such-bucket/m"}},
		{s.URL("M"), nil, []string{s.Root("M"), "nothing lies there"}},
		{s.URL("m/x"), nil, []string{s.Root("m/x"), "nothing lies there"}},
	} {
		_, err := openErr(c.url)
		said(t, c.url, err, c.kind, c.words...)
	}
	url := s.URL("m")
	if s.Refuse(t) {
		_, err := openErr(url)
		said(t, "another secret", err, fs.ErrPermission, s.Root("m"), s.Credentials())
	}
}

// said checks an error: its kind, its words, one line, and no query of a URL.
func said(t *testing.T, what string, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%s: %v is no %v", what, err, kind)
	}
	for _, w := range append(words, "") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v does not say %q", what, err, w)
		}
	}
	if strings.ContainsAny(err.Error(), "\n?") {
		t.Errorf("%s: %q has lines or a query", what, err)
	}
}

// Answers that fail for a while are asked for again, from where they ended; ones that
// fail for good are an error, after a bounded number.
func TestFaults(t *testing.T) { placetest.Each(t, testFaults) }

func testFaults(t *testing.T, s *placetest.Server) {
	place.ShortWaits(t)
	data := numbers(12 << 20)
	s.Put(t, "m/x", data)
	p := s.Proxy(t)
	get := func(r *http.Request) bool { return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/x") }
	status := func(code, times int) placetest.Fault {
		var n atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) bool {
			if n.Add(1) > int64(times) {
				return false
			}
			w.WriteHeader(code)
			return true
		}
	}
	cut := func(times int) placetest.Fault {
		var n atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !get(r) || n.Add(1) > int64(times) {
				return false
			}
			s.Cut(w, r, 100_000)
			return true
		}
	}
	read := func() error {
		f, err := openErr(s.Through(p, "m"))
		if err != nil {
			return err
		}
		defer f.Close()
		got, err := f.ReadFile("x")
		if err == nil && !bytes.Equal(got, data) {
			t.Error("other bytes")
		}
		return err
	}
	for name, fault := range map[string]placetest.Fault{"500 thrice": status(500, 3), "503 thrice": status(503, 3), "429 once": status(429, 1), "cut": cut(9), "none": nil} {
		p.Fail(fault)
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var told atomic.Int64
	place.Say(func(text string) {
		if !strings.Contains(text, s.Root("m")) || strings.Contains(text, "\n") {
			t.Errorf("told %q", text)
		}
		told.Add(1)
	})
	defer place.Say(nil)
	for _, code := range []int{500, 503} {
		before := p.Requests.Load()
		p.Fail(status(code, 1<<30))
		said(t, fmt.Sprint(code), read(), nil, s.Root("m"), fmt.Sprint(code), "given up after 6 tries")
		if n := p.Requests.Load() - before; n != 6 {
			t.Errorf("%d: %d requests, not 6", code, n)
		}
	}
	if told.Load() != 10 {
		t.Errorf("told %d times of requests that were made again, not 10", told.Load())
	}
	// a part of a list that never comes whole
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if get(r) {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.Write([]byte(`<?xml version="1.0"?><ListBucketResult><Contents><Key>m/x</Key><Si`))
		return true
	})
	said(t, "half a list", read(), nil, "list "+s.Root("m"))
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if get(r) {
			w.WriteHeader(403)
		}
		return get(r)
	})
	said(t, "403", read(), fs.ErrPermission, s.Root("m/x"), s.Credentials())
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool { // a service that reads no ranges
		if get(r) {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.Write(data)
		}
		return get(r)
	})
	f := open(t, s.Through(p, "m"))
	x, err := f.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.Reader().ReadAt(make([]byte, 10), 5_000_000)
	said(t, "no ranges", err, nil, s.Root("m/x"), "reads no ranges")
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool { // an answer without headers
		if get(r) {
			w.Write(data)
		}
		return get(r)
	})
	_, err = x.Reader().ReadAt(make([]byte, 10), 6_000_000)
	said(t, "no headers", err, nil, s.Root("m/x"))
}

// An object that is replaced or removed while it is read is an error, not a mixture,
// whether its new version has the same size or another.
func TestChanged(t *testing.T) { placetest.Each(t, testChanged) }

func testChanged(t *testing.T, s *placetest.Server) {
	place.ShortWaits(t)
	data := numbers(9 << 20)
	for name, next := range map[string][]byte{"same size": append(slices.Clone(data[1:]), 7), "shorter": data[:8<<20], "longer": append(slices.Clone(data), 1)} {
		for _, ignored := range []bool{false, true} {
			s.Put(t, "m/x", data)
			p := s.Proxy(t)
			f := open(t, s.Through(p, "m"))
			x, err := f.Open("x")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := x.Reader().ReadAt(make([]byte, 1000), 0); err != nil {
				t.Fatal(err)
			}
			if ignored { // a service that does not know what is asked for; the answer's own version tells
				p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
					if !s.Pinned(r) {
						t.Error("a request for any version")
					}
					r.Header.Set("Range", placetest.Range(r))
					s.Other(w.Header())
					http.ServeContent(w, r, "", time.Now(), bytes.NewReader(next))
					return true
				})
			}
			s.Put(t, "m/x", next)
			_, err = x.Reader().ReadAt(make([]byte, 1000), 5<<20)
			said(t, name, err, place.ErrChanged, s.Root("m/x"), "run again")
			if _, err := f.Copy(context.Background(), "x", filepath.Join(t.TempDir(), "x"), nil, nil); !errors.Is(err, place.ErrChanged) {
				t.Errorf("%s, copied: %v", name, err)
			}
		}
	}
	s.Put(t, "m/x", data)
	s.Put(t, "m/y", data)
	f := open(t, s.URL("m"))
	s.Delete(t, "m/x")
	_, err := f.ReadFile("x")
	if !errors.Is(err, place.ErrChanged) { // Azurite's answer
		said(t, "removed", err, fs.ErrNotExist, s.Root("m/x"))
	}
}

// A bucket of Google's without credentials is an error that says where they are read
// from, and prints nothing.
func TestGoogleWithoutCredentials(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "none.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", empty)
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	printed, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer printed.Close()
	stdout := os.Stdout
	os.Stdout = printed
	_, err = openErr("gs://bucket/m")
	os.Stdout = stdout
	said(t, "no credentials", err, nil, "gs://bucket/m", "no credentials", "GOOGLE_APPLICATION_CREDENTIALS", "anonymous=true")
	if st, err := printed.Stat(); err != nil || st.Size() > 0 {
		t.Errorf("%d bytes were printed (%v)", st.Size(), err)
	}
}
