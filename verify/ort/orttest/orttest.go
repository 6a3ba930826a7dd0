// Package orttest loads ONNX Runtime for tests.
package orttest

import (
	"os"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
)

// EnvRequire names the variable that makes a missing library a failure. `make
// test` fetches the library and sets it, so that no test is left out there.
const EnvRequire = "PECVT_REQUIRE_ORT"

// Require loads the library that [ort.Locate] finds, once per process. Without
// one the test is skipped, which says why and how to get it; with
// PECVT_REQUIRE_ORT=1 it fails.
func Require(tb testing.TB) ort.Library {
	tb.Helper()
	lib, err := ort.Load("")
	if err != nil {
		if os.Getenv(EnvRequire) == "1" {
			tb.Fatalf("%s=1: %v", EnvRequire, err)
		}
		tb.Skipf("needs ONNX Runtime: %v", err)
	}
	return lib
}

// Open opens a session that is closed with the test. See [Require].
func Open(tb testing.TB, modelPath string, options ort.Options) *ort.Session {
	tb.Helper()
	Require(tb)
	s, err := ort.Open(modelPath, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
