package native_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// deviceTypes are those of CUDA's kernels.
var deviceTypes = kinds{
	graph.Float16:  {"Rotation", "RelativeAttention", "PathAttention", "PathIntegralAttention"},
	graph.BFloat16: {"Rotation", "RelativeAttention", "PathAttention", "PathIntegralAttention"},
}

// TestEmulated: CUDA's kernels and what starts them, on threads of the processor that
// stop at barriers, in an order of the threads that is drawn; PECVT_LONG=1 in two.
func TestEmulated(t *testing.T) {
	orders := []string{"1"}
	if os.Getenv("PECVT_LONG") == "1" {
		orders = append(orders, "7")
	}
	for _, order := range orders {
		t.Setenv("PECVT_EMULATE_SEED", order)
		t.Run(order, func(t *testing.T) { conform(t, ort.Options{OpsLibrary: orttest.Emulated(t)}, deviceTypes, nil) })
	}
}

// TestCUDA is TestEmulated on the device itself.
func TestCUDA(t *testing.T) {
	library := cudaLibrary(t)
	lib := orttest.Require(t)
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		t.Skip("no CUDA device")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(lib.Path), "libonnxruntime_providers_cuda.so")); err != nil {
		t.Skip("needs PECVT_ORT_LIB to name the library of onnxruntime-gpu")
	}
	conform(t, ort.Options{OpsLibrary: library, Provider: ort.ProviderCUDA}, deviceTypes, nil)
}

// cudaLibrary is what `make ops-cuda` built.
func cudaLibrary(t *testing.T) string {
	path := os.Getenv("PECVT_OPS_CUDA_LIB")
	if path == "" {
		path = filepath.Join("..", "..", "build", "libpecvt_ops_cuda.so")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs the library of `make ops-cuda`, or PECVT_OPS_CUDA_LIB to name it: %v", err)
	}
	return path
}

// TestCUDALibrary: the built library has every kernel for every architecture, and
// the processor's kernels too, so that a session without CUDA takes it.
func TestCUDALibrary(t *testing.T) {
	library := cudaLibrary(t)
	conform(t, ort.Options{OpsLibrary: library}, kinds{graph.BFloat16: {"Rotation"}}, []string{"Rotation", "PathBias", "PathAttention"})

	nvcc := os.Getenv("NVCC")
	if nvcc == "" {
		where, err := exec.Command(filepath.Join("..", "..", ".ci", "fetch-nvcc.sh"), "--where").Output()
		if err != nil {
			t.Fatal(err)
		}
		nvcc = strings.TrimSpace(string(where))
	}
	tool := filepath.Join(filepath.Dir(nvcc), "cuobjdump")
	if _, err := os.Stat(tool); err != nil {
		t.Skipf("cuobjdump lists what is compiled: %v", err)
	}
	list := func(args ...string) string {
		out, err := exec.Command(tool, append(args, library)...).CombinedOutput()
		if err != nil {
			t.Fatalf("cuobjdump %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	names, err := os.ReadFile(filepath.Join("cuda", "names.h"))
	if err != nil {
		t.Fatal(err)
	}
	var kernels []string
	for _, m := range regexp.MustCompile(`X\((\w+?)(_##type)?,`).FindAllStringSubmatch(string(names), -1) {
		if m[1] == "name" { // the macros that use the list
			continue
		}
		if m[2] == "" {
			kernels = append(kernels, "pecvt_"+m[1])
			continue
		}
		for _, of := range []string{"f32", "f16", "bf16"} {
			kernels = append(kernels, "pecvt_"+m[1]+"_"+of)
		}
	}
	if len(kernels) < 25 {
		t.Fatalf("names.h lists %v", kernels)
	}
	files := regexp.MustCompile(`sm_\d+`).FindAllString(list("--list-elf"), -1)
	if len(files) < 5 {
		t.Errorf("compiled for %v: expected five architectures or more", files)
	}
	for _, arch := range files {
		symbols := list("--dump-elf-symbols", "--gpu-architecture", arch)
		for _, k := range kernels {
			if !regexp.MustCompile(`(?m)STT_FUNC\s.*\b` + k + `$`).MatchString(symbols) {
				t.Errorf("%s has no kernel %s", arch, k)
			}
		}
	}
	ptx := list("--dump-ptx")
	for _, k := range kernels {
		if !strings.Contains(ptx, ".entry "+k+"(") {
			t.Errorf("no PTX of %s", k)
		}
	}
}
