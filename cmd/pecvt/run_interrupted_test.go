package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// cancelling cancels a context with the first byte that is written to it.
type cancelling struct {
	bytes.Buffer
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return c.Buffer.Write(p)
}

// TestRunInterrupted: a text that is interrupted ends with exit code 130, and with --json
// what was made until then is on stdout, and says so.
func TestRunInterrupted(t *testing.T) {
	orttest.Require(t)
	dir := filepath.Join(t.TempDir(), "out")
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"export", "../../testdata/models/stories260K", "-o", dir, "-q"}, &errs, &errs); code != exitOK {
		t.Fatalf("export: exit code %d: %s", code, errs.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	text := &cancelling{cancel: cancel}
	errs.Reset()
	code := run(ctx, []string{"run", dir, "--ids", "1", "--max-tokens", "4000"}, text, &errs)
	if code != exitInterrupted || text.String() != "461\n" || !strings.Contains(errs.String(), "1 tokens in ") || !strings.Contains(errs.String(), ", until it was interrupted; ") ||
		!strings.HasSuffix(errs.String(), "pecvt: interrupted: nothing is left behind\n") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, text.String(), errs.String())
	}
	// The moment is another on each machine: the first one that leaves tokens is judged.
	for wait := 10 * time.Millisecond; ; wait += wait / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		var out, errs bytes.Buffer
		code := run(ctx, []string{"run", dir, "--ids", "1", "--max-tokens", "4000", "--json"}, &out, &errs)
		cancel()
		if code == exitOK {
			t.Fatalf("4000 tokens came before %v had passed", wait)
		}
		var r generate.Report
		if out.Len() == 0 || json.Unmarshal(out.Bytes(), &r) == nil && len(r.IDs) == 0 {
			continue // not open yet, or in the prompt
		}
		var said struct {
			Error string `json:"error"`
			Code  int    `json:"exit_code"`
		}
		if err := json.Unmarshal(errs.Bytes(), &said); err != nil || code != exitInterrupted || said.Code != code || !strings.HasPrefix(said.Error, "interrupted") {
			t.Errorf("exit code %d, stderr %q: %v", code, errs.String(), err)
		}
		if r.Stopped != generate.StoppedAtContext || len(r.IDs) >= 4000 || r.IDs[0] != 461 || len(r.PromptIDs) != 1 {
			t.Errorf("report %s", out.String())
		}
		return
	}
}
