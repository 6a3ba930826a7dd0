package orttest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	return built(tb, "processor", sourcesOf(tb))
}

// Emulated is [Ops] of CUDA's kernels on emulated threads of the processor.
func Emulated(tb testing.TB) string {
	tb.Helper()
	Require(tb)
	return built(tb, "emulated", sourcesOf(tb))
}

// Fault is a mistake in the kernels' sources: in File, Old (which is there once)
// becomes New.
type Fault struct{ File, Old, New string }

// Faulty builds the library of a kind ("processor" or "emulated") with a fault in it.
func Faulty(tb testing.TB, kind string, f Fault) string {
	tb.Helper()
	Require(tb)
	dir := filepath.Join(tb.TempDir(), "native")
	if err := os.CopyFS(dir, os.DirFS(sourcesOf(tb))); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, f.File)
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if n := strings.Count(string(text), f.Old); n != 1 {
		tb.Fatalf("%s has %q %d times: expected once", f.File, f.Old, n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), f.Old, f.New, 1)), 0o644); err != nil {
		tb.Fatal(err)
	}
	return built(tb, kind, dir)
}

// compiler is a failure or a skip where there is no C++ compiler.
func compiler(tb testing.TB) {
	tb.Helper()
	name := os.Getenv("CXX")
	if name == "" {
		name = "c++"
	}
	if _, err := exec.LookPath(strings.Fields(name)[0]); err != nil || runtime.GOOS == "windows" {
		if os.Getenv(EnvRequireOps) == "1" {
			tb.Fatalf("%s=1: no C++ compiler %s", EnvRequireOps, name)
		}
		tb.Skipf("needs a C++ compiler (%s) to build the library of kernels", name)
	}
}

// sourcesOf is the folder of the kernels' sources.
func sourcesOf(tb testing.TB) string {
	tb.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil { // built with -trimpath: tests run in their package's folder
		dir, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for root = dir; ; root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				tb.Fatalf("no go.mod above %s", dir)
			}
		}
	}
	return filepath.Join(root, "onnxops", "native")
}

var building sync.Mutex

// built is the library of a kind that these sources make, which is kept in build/ of
// the module.
func built(tb testing.TB, kind, sources string) string {
	tb.Helper()
	compiler(tb)
	building.Lock()
	defer building.Unlock()
	native := sourcesOf(tb)
	sum := sha256.New()
	sum.Write([]byte(kind))
	files := []string{filepath.Join(native, "build.sh")}
	for _, folder := range []string{"src", "cuda"} {
		found, err := filepath.Glob(filepath.Join(sources, folder, "*"))
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		sum.Write(data)
	}
	folder := filepath.Join(native, "..", "..", "build", "ops-"+hex.EncodeToString(sum.Sum(nil))[:12])
	if sources != native {
		folder = filepath.Join(sources, "build")
	}
	lib := filepath.Join(folder, "libpecvt_ops.so")
	if _, err := os.Stat(lib); err == nil {
		return lib
	}
	cmd := exec.Command(filepath.Join(native, "build.sh"), lib)
	cmd.Env = append(os.Environ(), "SOURCES="+sources, "KIND="+kind, "LD_PRELOAD=") // no sanitizers in the compiler
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return lib
}
