package place_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// A run may end while the service still works on an object, which then appears after
// the run: it does so beside a marker, and the same plan takes it over.
func TestTargetObjectAfterTheEnd(t *testing.T) {
	s := placetest.StartS3(t)
	big := numbers(9 << 20)
	s.Put(t, "source/big", big)
	for what, c := range map[string]struct {
		late  func(r *http.Request) bool
		write func(x *place.Target, url string) error
	}{
		"put": {func(r *http.Request) bool { return r.Method == http.MethodPut }, func(x *place.Target, _ string) error { return x.Put("a", []byte("text")) }},
		"finish": {func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }, func(x *place.Target, _ string) error {
			u, err := x.Create("a", int64(len(big)))
			if err != nil {
				return err
			}
			defer u.Abort()
			if _, err := u.Write(big); err != nil {
				return err
			}
			return u.Close()
		}},
		"copy": {func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }, func(x *place.Target, url string) error {
			_, err := x.CopyFile(open(t, url), "big", "a", true, nil, nil)
			return err
		}},
	} {
		t.Run(what, func(t *testing.T) {
			p := s.Proxy(t)
			at, err := place.Parse(s.Through(p, what))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			x, err := at.Target(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim(x, "p", "a"); err != nil {
				t.Fatal(err)
			}
			goOn, done := make(chan struct{}), make(chan struct{})
			p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				if !c.late(r) || strings.HasSuffix(r.URL.Path, place.Marker) {
					return false
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				cancel()
				go func() {
					defer close(done)
					<-goOn
					s.Late(t, r, body)
				}()
				panic(http.ErrAbortHandler)
			})
			if err := c.write(x, s.Through(p, "source")); !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, want a cancelled context", err)
			}
			x.Close()
			if !x.Left() {
				t.Error("nothing is said to be left")
			}
			close(goOn)
			<-done
			if _, err := openErr(s.URL(what)); !errors.Is(err, place.ErrUnfinished) {
				t.Errorf("what appeared is read: %v; there are %q", err, names(t, s, what))
			}
			again := target(t, s.URL(what))
			if err := claim(again, "p", "a"); err != nil {
				t.Fatal(err)
			}
			if err := again.Put("a", []byte("text")); err != nil {
				t.Fatal(err)
			}
			if err := again.Finish(nil, nil); err != nil {
				t.Fatal(err)
			}
			if got := names(t, s, what); !slices.Equal(got, []string{"a"}) {
				t.Errorf("in the end there are %q", got)
			}
		})
	}
}

// A file that is being written is not only not there: whoever asks for it learns why.
func TestFileUnfinished(t *testing.T) {
	s := placetest.StartS3(t)
	s.Put(t, "out/other", numbers(100))
	at, err := place.Parse(s.URL("out"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := at.TargetFile(context.Background(), "a.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := claim(x, "p", "a.gguf"); err != nil {
		t.Fatal(err)
	}
	folder, err := openErr(s.URL("out"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if _, err := folder.Open("a.gguf"); !errors.Is(err, place.ErrUnfinished) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), place.Marker) {
		t.Errorf("the file that is being written: %v", err)
	}
	if _, err := folder.Stat("b.gguf"); errors.Is(err, place.ErrUnfinished) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Who stops writing because a part failed learns at Close why it failed.
func TestPartFailedWhileWriting(t *testing.T) {
	place.ShortWaits(t)
	s := placetest.StartS3(t)
	p := s.Proxy(t)
	x := target(t, s.Through(p, "out"))
	if err := claim(x, "p", "a"); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if s.Part(r) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(507)
			return true
		}
		return false
	})
	u, err := x.Create("a", 40<<20)
	if err != nil {
		t.Fatal(err)
	}
	u.Write(numbers(20 << 20)) // an error, or none yet
	u.Failed()                 // the parts that were sent are waited for
	if err := u.Close(); err == nil || !strings.Contains(err.Error(), "answered 507") {
		t.Errorf("%v, want what the service answered", err)
	}
}
