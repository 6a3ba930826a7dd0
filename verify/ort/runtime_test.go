//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	yalue "github.com/yalue/onnxruntime_go"
)

const envChild = "PECVT_ORT_TEST_INIT"

// A library that has been loaded stays, so the ones that do not load are tried
// in a process of their own: this one, started again.
func TestMain(m *testing.M) {
	if path := os.Getenv(envChild); path != "" {
		err := Init(path)
		fmt.Printf("unavailable=%v version=%q error=%v\n", errors.Is(err, ErrUnavailable), Version(), err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func initElsewhere(t *testing.T, path string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envChild+"="+path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(out)
}

func TestInitOfLibrariesThatDoNotLoad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the libraries are made the Linux way")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler named cc")
	}
	dir := t.TempDir()
	compile := func(name, source string, flags ...string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		args := append([]string{"-shared", "-fPIC", "-o", path, write(t, path+".c", source)}, flags...)
		if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
			t.Fatalf("cc: %v\n%s", err, out)
		}
		return path
	}
	// An OrtApiBase is two functions: the API of a version, or null where it is
	// too new, and the version as text.
	old := `static const void *api(unsigned v) { return v <= 25 ? (const void *)"" : 0; }
static const char *text(void) { return "1.25.0"; }
static const struct { const void *(*api)(unsigned); const char *(*text)(void); } base = { api, text };
const void *OrtGetApiBase(void) { return &base; }`
	needed := compile("libneeded.so", "int needed(void) { return 1; }")
	needy := compile("needy.so", "int needed(void); const void *OrtGetApiBase(void) { return needed() ? 0 : 0; }",
		"-L"+dir, "-lneeded", "-Wl,--no-as-needed")
	if err := os.Remove(needed); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		want       []string
	}{
		{"too old", compile("old.so", old), []string{"older than ONNX Runtime 1.26"}},
		{"no entry point", compile("other.so", "int other(void) { return 1; }"), []string{"does not export OrtGetApiBase"}},
		{"its own needs missing", needy, []string{"libneeded.so", "cannot open shared object file"}},
		{"not there", filepath.Join(dir, "gone.so"), []string{"no such file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := initElsewhere(t, c.path)
			for _, want := range append(c.want, "unavailable=true", `version=""`, c.path, "make ort") {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
		})
	}
}

func TestInitOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.so")
	library(t, path)
	got := initElsewhere(t, path)
	if !strings.Contains(got, "error=<nil>") {
		t.Fatalf("the library does not load: %s", got)
	}
	lib, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if lib.Version == "" || lib.Version != Version() || !strings.Contains(got, lib.Version) {
		t.Errorf("version %q, then %q, and %q elsewhere", lib.Version, Version(), got)
	}
	if err := Init(lib.Path); err != nil {
		t.Errorf("the same library again: %v", err)
	}
	if err := Init(path); err == nil || !strings.Contains(err.Error(), "only one") || !strings.Contains(err.Error(), lib.Path) {
		t.Errorf("another library: %v", err)
	}
}

// What forbids the fallback is known to the runtime: with a provider that takes
// no node, here the one that calls a remote service, a session that would run
// on the CPU is refused, and opened once the fallback is allowed.
func TestForbidFallbackIsHeeded(t *testing.T) {
	if _, err := Load(""); err != nil {
		if os.Getenv("PECVT_REQUIRE_ORT") == "1" {
			t.Fatal(err)
		}
		t.Skipf("needs ONNX Runtime: %v", err)
	}
	for _, forbid := range []bool{false, true} {
		o, err := sessionOptions(Options{OptLevel: OptAll, Provider: ProviderCPU}, "")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Destroy()
		if err := o.AppendExecutionProvider("AZURE", nil); err != nil {
			t.Skipf("needs a build with another provider than the CPU's: %v", err)
		}
		if forbid {
			if err := forbidFallback(o); err != nil {
				t.Fatal(err)
			}
		}
		s, err := yalue.NewDynamicAdvancedSession("testdata/default.onnx", []string{"x"}, []string{"y"}, o)
		if err == nil {
			s.Destroy()
		}
		if forbid && (err == nil || !strings.Contains(err.Error(), "fallback to CPU EP has been explicitly disabled")) {
			t.Errorf("the fallback was forbidden, and the session said: %v", err)
		}
		if !forbid && err != nil {
			t.Errorf("with the fallback allowed: %v", err)
		}
	}
}

func TestMissingForCUDA(t *testing.T) {
	there := func(names ...string) func(string) (fs.FileInfo, error) {
		return func(path string) (fs.FileInfo, error) {
			for _, name := range names {
				if filepath.ToSlash(path) == name {
					return nil, nil
				}
			}
			return nil, fs.ErrNotExist
		}
	}
	shared, cuda := "/lib/libonnxruntime_providers_shared.so", "/lib/libonnxruntime_providers_cuda.so"
	for _, c := range []struct {
		name string
		goos string
		have []string
		want []string
	}{
		{"all there", "linux", []string{shared, cuda, "/dev/nvidiactl"}, nil},
		{"all there, in Windows' Linux", "linux", []string{shared, cuda, "/dev/dxg"}, nil},
		{"no device", "linux", []string{shared, cuda}, []string{"no NVIDIA device on this machine"}},
		{"cpu build", "linux", []string{shared, "/dev/nvidia0"}, []string{"libonnxruntime_providers_cuda.so is not beside /lib/ort.so"}},
		{"nothing", "linux", nil, []string{"libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so", "no NVIDIA device"}},
		{"cpu build", "windows", nil, []string{"onnxruntime_providers_shared.dll", "onnxruntime_providers_cuda.dll"}},
	} {
		got := missingForCUDA("/lib/ort.so", c.goos, there(c.have...))
		ok := len(got) == len(c.want)
		for i := 0; ok && i < len(got); i++ {
			ok = strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s on %s: %v, want %v", c.name, c.goos, got, c.want)
		}
	}
}
