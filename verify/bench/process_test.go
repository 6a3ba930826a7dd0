package bench

import (
	"bufio"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
)

// TestUnavailable: that the runtime is missing is said by a folder's process as by any
// other part, and what else is wrong is not taken for it.
func TestUnavailable(t *testing.T) {
	in, ask := io.Pipe()
	out, answers := io.Pipe()
	go func() { _ = Serve(t.Context(), in, answers) }() // it ends with the test's pipes
	defer ask.Close()
	p := &process{dir: "d", in: ask, out: bufio.NewScanner(out)}
	_, err := p.ask(t.Context(), request{Open: t.TempDir(), ORTLibrary: filepath.Join(t.TempDir(), "nothing.so")})
	if !errors.Is(err, ort.ErrUnavailable) || strings.Contains(err.Error(), "{") {
		t.Errorf("no library: %v", err)
	}
	if err := error(said{text: "another"}); errors.Is(err, ort.ErrUnavailable) {
		t.Errorf("%v is taken for a runtime that is missing", err)
	}
}
