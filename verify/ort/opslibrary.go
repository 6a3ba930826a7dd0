package ort

import (
	"path/filepath"
	"runtime"

	"github.com/pecvt/pecvt/posenc/hint"
)

// opsEntryPoint is the function that a library of kernels exports.
const opsEntryPoint = "RegisterCustomOps"

// CheckOpsLibrary says why a file cannot be a library of kernels
// (Options.OpsLibrary), nil where nothing speaks against it or path is empty.
func CheckOpsLibrary(path string) error {
	if path == "" {
		return nil
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		err = checkLibrary(abs, runtime.GOOS, runtime.GOARCH, opsEntryPoint, "one of operators")
	}
	if err != nil {
		return hint.Errorf("ort: "+hint.OpsLibrary+" %s: %w; expected the library that `make ops` builds", path, err)
	}
	return nil
}
