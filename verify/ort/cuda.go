package ort

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
)

// missingForCUDA lists what the CUDA provider lacks, as far as files can tell:
// the two provider libraries that must lie beside ONNX Runtime's own, and a
// device. Asking first gives a reason; the runtime says only that its provider
// did not load, or that this build has none.
func missingForCUDA(library, goos string, stat func(string) (fs.FileInfo, error)) []string {
	var missing []string
	for _, name := range providerLibraries(goos) {
		if _, err := stat(filepath.Join(filepath.Dir(library), name)); err != nil {
			missing = append(missing, fmt.Sprintf("%s is not beside %s", name, library))
		}
	}
	if goos == "linux" {
		// /dev/dxg is the device of Windows' Linux subsystem.
		devices := []string{"/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"}
		found := false
		for _, device := range devices {
			if _, err := stat(device); err == nil {
				found = true
			}
		}
		if !found {
			missing = append(missing, "no NVIDIA device on this machine (none of "+strings.Join(devices, ", ")+")")
		}
	}
	return missing
}

func providerLibraries(goos string) []string {
	switch goos {
	case "windows":
		return []string{"onnxruntime_providers_shared.dll", "onnxruntime_providers_cuda.dll"}
	case "darwin":
		return []string{"libonnxruntime_providers_shared.dylib", "libonnxruntime_providers_cuda.dylib"}
	default:
		return []string{"libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"}
	}
}

const cudaRemedy = "use " + hint.Provider + " cpu, or give " + hint.ORTLibrary + " the library of a GPU build (the package onnxruntime-gpu), with CUDA and cuDNN installed"

// cudaUnavailable says why there is no CUDA provider. It is never answered by
// running on the CPU instead.
func cudaUnavailable(library, goos string, cause error) *UnavailableError {
	reason := "the CUDA provider cannot be used"
	if missing := missingForCUDA(library, goos, os.Stat); len(missing) > 0 {
		reason += ": " + strings.Join(missing, "; ")
	}
	return &UnavailableError{Reason: reason, Err: cause, Remedy: cudaRemedy, Explicit: true}
}
