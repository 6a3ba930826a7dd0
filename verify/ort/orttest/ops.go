package orttest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// EnvOps names a library of kernels to test in place of one that is built, and
// EnvRequireOps makes a missing compiler a failure.
const (
	EnvOps        = "PECVT_OPS_LIB"
	EnvRequireOps = "PECVT_REQUIRE_OPS"
)

// Ops builds the library of kernels for the operators of ai.pecvt, once for each
// state of its sources, and returns its path. Without a C++ compiler the test is
// skipped, which says so; with PECVT_REQUIRE_OPS=1 it fails.
func Ops(tb testing.TB) string {
	tb.Helper()
	Require(tb)
	if named := os.Getenv(EnvOps); named != "" {
		return named
	}
	compiler := os.Getenv("CXX")
	if compiler == "" {
		compiler = "c++"
	}
	if _, err := exec.LookPath(compiler); err != nil || runtime.GOOS == "windows" {
		if os.Getenv(EnvRequireOps) == "1" {
			tb.Fatalf("%s=1: no C++ compiler %s", EnvRequireOps, compiler)
		}
		tb.Skipf("needs a C++ compiler (%s) to build the library of kernels", compiler)
	}
	path, err := buildOps()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

var buildOps = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil { // built with -trimpath: tests run in their package's folder
		dir, err := os.Getwd()
		if err != nil {
			return "", err
		}
		for root = dir; ; root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				return "", err
			}
		}
	}
	native := filepath.Join(root, "onnxops", "native")
	sources, err := filepath.Glob(filepath.Join(native, "src", "*"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, path := range append(sources, filepath.Join(native, "build.sh")) {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		sum.Write(data)
	}
	lib := filepath.Join(root, "build", "ops-"+hex.EncodeToString(sum.Sum(nil))[:12], "libpecvt_ops.so")
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	cmd := exec.Command(filepath.Join(native, "build.sh"), lib)
	cmd.Stderr = os.Stderr
	return lib, cmd.Run()
})
