//go:build !cgo

package ort_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
)

func TestWithoutCgoEveryUseSaysSo(t *testing.T) {
	_, load := ort.Load("")
	_, named := ort.Load("/some/libonnxruntime.so")
	_, open := ort.Open("testdata/cache.onnx", ort.Options{})
	for use, err := range map[string]error{"load": load, "load a named library": named, "init": ort.Init("x"), "open": open} {
		if !errors.Is(err, ort.ErrUnavailable) || !strings.Contains(err.Error(), "without cgo") || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
			t.Errorf("%s: %v", use, err)
		}
	}
	if v := ort.Version(); v != "" {
		t.Errorf("version %q", v)
	}
}
