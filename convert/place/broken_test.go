package place

import (
	"errors"
	"io"
	"net/url"
	"testing"
)

// TestBroken: a connection that the service gave up is no refusal; what else has no answer
// is said at once.
func TestBroken(t *testing.T) {
	for text, c := range map[string]struct {
		err   error
		again bool
	}{
		"given up":  {&url.Error{Op: "Put", URL: "http://x/y", Err: errors.New("http: server closed idle connection")}, true},
		"broke off": {&url.Error{Op: "Put", URL: "http://x/y", Err: io.ErrUnexpectedEOF}, true},
		"no scheme": {&url.Error{Op: "Put", URL: "x/y", Err: errors.New("unsupported protocol scheme")}, false},
	} {
		var f *failure
		if err := broken(c.err); !errors.As(err, &f) || f.again != c.again {
			t.Errorf("%s: %v is made again: %v, want %v", text, err, f != nil && f.again, c.again)
		}
	}
}
