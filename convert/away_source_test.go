package convert_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/convert/rewrite"
)

// A source is not replaced by its own result where its URL is spelled in another way: an
// endpoint has many names.
func TestTargetIsSourceByAnotherURL(t *testing.T) {
	s := placetest.StartS3(t)
	model := filepath.Join("..", "testdata", "golden", "llama-gqa")
	for _, c := range []struct{ name, format string }{{"hope", convert.Safetensors}, {"hope.gguf", convert.GGUF}} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := convert.NewPlan(model, convert.Options{To: "hope", Format: c.format, Output: s.URL(c.name)})
			if err == nil {
				_, err = convert.Run(context.Background(), plan, convert.RunOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			all := func() string {
				if c.format == convert.GGUF {
					return string(s.Get(t, c.name))
				}
				return strings.Join(s.Objects(t, c.name), " ") + string(s.Get(t, c.name+"/pecvt.json"))
			}
			before := all()
			other := strings.Replace(s.URL(c.name), "127.0.0.1", "localhost", 1)
			if other == s.URL(c.name) {
				t.Fatalf("%s has no 127.0.0.1", other)
			}
			if plan, err = convert.NewPlan(s.URL(c.name), convert.Options{To: "nope", Format: c.format, Output: other}); err != nil {
				t.Fatal(err)
			}
			const want = "is the source s3://"
			if err := plan.CheckTarget(true); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("CheckTarget: %v, want %q", err, want)
			}
			if _, err := convert.Run(context.Background(), plan, convert.RunOptions{Force: true}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run: %v, want %q", err, want)
			}
			if after := all(); after != before {
				t.Error("the source is another")
			}
		})
	}
}

// The end of a URL says whether a file or a folder lies there, so none is written to that
// says the other.
func TestTargetNamedAsAnother(t *testing.T) {
	model := filepath.Join("..", "testdata", "golden", "llama-gqa")
	for name, format := range map[string]string{"a.safetensors": convert.Safetensors, "a.safetensors.index.json": "", "a.gguf": convert.Safetensors, "a.GGUF": convert.Safetensors,
		"a": convert.GGUF, "a.safetensors/": convert.GGUF, "": convert.GGUF} {
		_, err := convert.NewPlan(model, convert.Options{To: "hope", Format: format, Output: "s3://bucket/" + name})
		if !errors.Is(err, rewrite.ErrOptions) || !strings.Contains(err.Error(), "s3://bucket") {
			t.Errorf("%q in the format %q: %v, want an error of options that names it", name, format, err)
		}
	}
}

// The ending asks for a GGUF file, in capitals and before a query too.
func TestTargetNameOfFormat(t *testing.T) {
	model := filepath.Join("..", "testdata", "golden", "llama-gqa")
	out := filepath.Join(t.TempDir(), "a")
	for _, name := range []string{out + ".gguf", out + ".GGUF", "s3://bucket/a.gguf?region=us-east-1"} {
		plan, err := convert.NewPlan(model, convert.Options{To: "hope", Output: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if plan.Format != convert.GGUF {
			t.Errorf("%s: format %q", name, plan.Format)
		}
	}
}

// Whether a target elsewhere can be written to is known before the work begins, and
// nothing stays of the attempt.
func TestCheckTargetElsewhere(t *testing.T) { placetest.Each(t, testCheckTargetElsewhere) }

func testCheckTargetElsewhere(t *testing.T, s *placetest.Server) {
	model := filepath.Join("..", "testdata", "golden", "llama-gqa")
	p := s.Proxy(t)
	for _, name := range []string{"at/out", "at/out.gguf"} {
		plan, err := convert.NewPlan(model, convert.Options{To: "hope", Output: s.Through(p, name)})
		if err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			methods []string
			want    string
		}{"may": {}, "may not write": {[]string{http.MethodPut, http.MethodPost}, "nothing can be written there"}, "may not remove": {[]string{http.MethodDelete}, "not removed"}} {
			p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				refused := slices.Contains(c.methods, r.Method)
				if refused {
					w.WriteHeader(http.StatusForbidden)
				}
				return refused
			})
			err := plan.CheckTarget(false)
			p.Fail(nil)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "target "+s.Root(name)) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.Credentials())) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if c.want == "" && slices.ContainsFunc(s.Objects(t, "at"), func(n string) bool { return strings.HasSuffix(n, ".pecvt-try") }) {
				t.Errorf("%s: left are %q", name, s.Objects(t, "at"))
			}
		}
		if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil { // over what may not be removed
			t.Errorf("%s: %v", name, err)
		}
	}
}
