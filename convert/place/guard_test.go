package place_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// A service that writes on no condition, whether it says so or passes over them, is
// written to, with a note; of runs at once one goes on all the same, and one whose target
// is taken over stops.
func TestTargetWithoutConditions(t *testing.T) {
	place.ShortBeats(t)
	s := placetest.StartS3(t)
	conditions := []string{"If-Match", "If-None-Match"}
	answer := func(status int, code, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
			return true
		}
	}
	for what, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"501": answer(501, "NotImplemented", "A header you provided implies functionality that is not implemented"),
		"400": answer(400, "InvalidArgument", "If-None-Match is not implemented"),
		"passes over them": func(w http.ResponseWriter, r *http.Request) bool { // headers are signed: it is put anew
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			s.Put(t, strings.TrimPrefix(r.URL.Path, "/"+s.Bucket+"/"), body)
			w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(body)))
			return true
		},
	} {
		t.Run(what, func(t *testing.T) {
			var mu sync.Mutex
			var said []string
			place.Say(func(text string) { mu.Lock(); defer mu.Unlock(); said = append(said, text) })
			defer place.Say(nil)
			p := s.Proxy(t)
			p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				conditional := slices.ContainsFunc(conditions, func(c string) bool { return r.Header.Get(c) != "" })
				return r.Method == http.MethodPut && conditional && fault(w, r)
			})
			folder := "out-" + what[:3]
			x := target(t, s.Through(p, folder))
			if err := claim(x, "p", "config.json"); err != nil {
				t.Fatal(err)
			}
			if len(said) != 1 || !strings.Contains(said[0], s.Root(folder)) || !strings.Contains(said[0], "have one run write at a time") {
				t.Errorf("said is %q, want one note", said)
			}
			if err := claim(target(t, s.Through(p, folder)), "p", "config.json"); err == nil || !strings.Contains(err.Error(), "another run writes there") {
				t.Errorf("a second run writes: %v", err)
			}
			if err := x.Finish([]string{"config.json"}, func(string) ([]byte, error) { return []byte("{}"), nil }); err != nil {
				t.Fatal(err)
			}
			x.Close()
			if got := names(t, s, folder); !slices.Equal(got, []string{"config.json"}) {
				t.Errorf("there are %q", got)
			}

			var ran []*place.Target
			var all sync.WaitGroup
			for range 4 {
				y := target(t, s.Through(p, folder+"-new"))
				all.Go(func() {
					err := claim(y, "p", "a")
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						ran = append(ran, y)
					} else if !strings.Contains(err.Error(), "another run") {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if len(ran) != 1 {
				t.Fatalf("%d of four runs at once write", len(ran))
			}
			// a beat that has read what is its own may still write over another's: that one,
			// which lives too, writes again
			for ran[0].Context().Err() == nil {
				s.Put(t, folder+"-new/"+place.Marker, []byte(`{"pecvt":"x","plan":"p","run":"another"}`))
				select {
				case <-ran[0].Context().Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
			if err := context.Cause(ran[0].Context()); err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "another run took the target over") {
				t.Errorf("another's marker: %v", err)
			}
		})
	}
}
