package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A graph lies beside a checkpoint, so export writes no single file.
func TestExportToAFile(t *testing.T) {
	for _, target := range []string{filepath.Join(t.TempDir(), "x.gguf"), "s3://bucket/x.GGUF?use_path_style=true"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"export", "../../testdata/models/stories260K", "-o", target}, &out, &errs)
		if want := "a folder is written"; code != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d, %q, %q; want %d and %q", target, code, out.String(), errs.String(), exitUsage, want)
		}
		if _, err := os.Stat(target); err == nil {
			t.Errorf("%s was written", target)
		}
	}
}
