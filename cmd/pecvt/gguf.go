package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// verifyAny verifies a folder, or a GGUF file as the folder that import and export
// make of it, which goes when it is done.
func verifyAny(ctx context.Context, path string, opts verify.Options) (*verify.Report, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() || !strings.HasSuffix(strings.ToLower(path), ".gguf") {
		return verify.Verify(ctx, path, opts)
	}
	own, err := fsio.NewTemporary("", "verify")
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer own.Remove()
	dir := own.Dir
	step := func(name string) {
		if opts.Progress != nil {
			opts.Progress(name, 0, 0)
		}
	}
	step("import")
	if _, err := convert.Import(ctx, path, dir, convert.ImportOptions{NoTokenizer: true}); err != nil {
		return nil, err
	}
	step("export")
	if _, err := onnxops.Emit(dir, onnxops.Options{}); err != nil {
		return nil, err
	}
	opts.File = path
	r, err := verify.Verify(ctx, dir, opts)
	if err != nil {
		return nil, err
	}
	r.Model = filepath.Base(path)
	return r, nil
}
