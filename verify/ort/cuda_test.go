package ort_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// haveCUDA tells whether the loaded library is a GPU build and there is a
// device.
func haveCUDA(lib ort.Library) bool {
	_, provider := os.Stat(filepath.Join(filepath.Dir(lib.Path), "libonnxruntime_providers_cuda.so"))
	_, device := os.Stat("/dev/nvidiactl")
	return provider == nil && device == nil
}

// Asking for CUDA where there is none is an error that names what is missing.
// It is never answered by a run on the CPU.
func TestCUDAIsNeverReplacedByTheCPU(t *testing.T) {
	lib := orttest.Require(t)
	if haveCUDA(lib) {
		t.Skip("this machine has CUDA: TestCUDARunsEveryNode looks at it")
	}
	s, err := ort.Open("testdata/external.onnx", ort.Options{Provider: ort.ProviderCUDA})
	if err == nil {
		s.Close()
		t.Fatal("a session on CUDA was opened on a machine without it")
	}
	if !errors.Is(err, ort.ErrUnavailable) {
		t.Errorf("error %v does not match ErrUnavailable", err)
	}
	wants := []string{"CUDA", "Options.Provider cpu", "onnxruntime-gpu"}
	if runtime.GOOS == "linux" {
		wants = append(wants, "no NVIDIA device")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestCUDARunsEveryNode(t *testing.T) {
	lib := orttest.Require(t)
	if !haveCUDA(lib) {
		t.Skip("needs an NVIDIA GPU, and PECVT_ORT_LIB naming the library of onnxruntime-gpu")
	}
	for _, level := range ort.OptLevels() {
		s, err := ort.Open("testdata/external.onnx", ort.Options{Provider: ort.ProviderCUDA, OptLevel: level, ProfileDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		out := run(t, s, map[string]ort.Tensor{"x": ort.Float32([]float32{1, 0, 3, 10}, 2, 2)})
		if y := out["y"].F32; y[0] != 1 || y[1] != .5 || y[2] != -17 || y[3] != 41.5 {
			t.Errorf("%s: y = %v", level, y)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path, err := s.Profile()
		if err != nil {
			t.Fatal(err)
		}
		runs, err := ort.NodeRuns(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if r.Provider != "CUDAExecutionProvider" {
				t.Errorf("%s: %+v did not run on CUDA", level, r)
			}
		}
	}
}
