package ort

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// realLibrary is looked up before a test changes the environment.
var realLibrary, _, errRealLibrary = Locate("")

// library puts the real library at path, as a link.
func library(t *testing.T, path string) {
	t.Helper()
	if errRealLibrary != nil {
		if os.Getenv("PECVT_REQUIRE_ORT") == "1" {
			t.Fatal(errRealLibrary)
		}
		t.Skipf("needs ONNX Runtime: %v", errRealLibrary)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(realLibrary, path); err != nil {
		t.Skipf("needs symbolic links: %v", err)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// The order is flag, environment, cache, system; each step is shown by taking
// the one before it away.
func TestLocateOrder(t *testing.T) {
	dir := t.TempDir()
	flag, env := filepath.Join(dir, "flag", "lib.so"), filepath.Join(dir, "env", "lib.so")
	cache := filepath.Join(dir, "cache", "onnxruntime-"+cachedVersions[0], libraryName(runtime.GOOS, cachedVersions[0]))
	older := filepath.Join(dir, "cache", "onnxruntime-"+cachedVersions[1], libraryName(runtime.GOOS, cachedVersions[1]))
	for _, path := range []string{flag, env, cache, older} {
		library(t, path)
	}
	t.Setenv(EnvLibrary, env)
	t.Setenv(EnvCache, filepath.Join(dir, "cache"))

	expect := func(explicit, wantPath, wantSource string) {
		t.Helper()
		path, source, err := Locate(explicit)
		if err != nil || path != wantPath || source != wantSource {
			t.Errorf("Locate(%q) = %q, %q, %v; want %q, %q", explicit, path, source, err, wantPath, wantSource)
		}
	}
	expect(flag, flag, "Options.ORTLibrary")
	expect("", env, "PECVT_ORT_LIB")
	t.Setenv(EnvLibrary, "")
	expect("", cache, "cache")
	if err := os.Remove(cache); err != nil {
		t.Fatal(err)
	}
	expect("", older, "cache")

	if runtime.GOOS != "linux" {
		return
	}
	t.Setenv(EnvCache, filepath.Join(dir, "nothing"))
	system := filepath.Join(dir, "system", "libonnxruntime.so.1")
	library(t, filepath.Join(dir, "system", "libonnxruntime.so.1.99.0"))
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(dir, "system"))
	write(t, system, "not a library, so the next one is taken")
	expect("", filepath.Join(dir, "system", "libonnxruntime.so.1.99.0"), "system")
}

// A path that somebody named is the answer, or the error: never passed over
// for the library that is in the cache.
func TestLocateNeverPassesANamedPathOver(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvCache, filepath.Join(dir, "cache"))
	library(t, filepath.Join(dir, "cache", "onnxruntime-"+cachedVersions[0], libraryName(runtime.GOOS, cachedVersions[0])))
	text := write(t, filepath.Join(dir, "lib.so"), "no library at all")
	missing := filepath.Join(dir, "gone.so")

	check := func(err error, wants ...string) {
		t.Helper()
		var u *UnavailableError
		if !errors.As(err, &u) || !u.Explicit || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%v is no explicit UnavailableError", err)
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	}
	_, source, err := Locate(missing)
	check(err, "Options.ORTLibrary", missing, "no such file")
	if source != SourceFlag {
		t.Errorf("source %q", source)
	}
	_, _, err = Locate(text)
	check(err, text, "no shared library")
	_, _, err = Locate(dir)
	check(err, "folder")
	t.Setenv(EnvLibrary, missing)
	_, _, err = Locate("")
	check(err, "PECVT_ORT_LIB", missing)
}

func TestLocateSaysADamagedCache(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvLibrary, "")
	t.Setenv(EnvCache, dir)
	path := write(t, filepath.Join(dir, "onnxruntime-"+cachedVersions[0], libraryName(runtime.GOOS, cachedVersions[0])), "")
	_, source, err := Locate("")
	if err == nil || source != SourceCache || !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "empty") || !strings.Contains(err.Error(), "make ort") {
		t.Errorf("source %q, error %v", source, err)
	}
}

func TestLocateSaysHowToGetTheLibrary(t *testing.T) {
	if len(systemPaths(runtime.GOOS)) > 0 {
		t.Skipf("this system has ONNX Runtime installed: %v", systemPaths(runtime.GOOS))
	}
	dir := t.TempDir()
	t.Setenv(EnvLibrary, "")
	t.Setenv(EnvCache, dir)
	_, _, err := Locate("")
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error %v does not match ErrUnavailable", err)
	}
	for _, want := range []string{"make ort", "Options.ORTLibrary", "PECVT_ORT_LIB", "1.26", dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	var u *UnavailableError
	if errors.As(err, &u); u.Explicit {
		t.Error("nobody named a path, yet the error is explicit")
	}
}

func TestLoaderConfig(t *testing.T) {
	dir := t.TempDir()
	main := write(t, filepath.Join(dir, "ld.so.conf"), "# folders\n/opt/a  # the first\ninclude conf.d/*.conf\n\nhwcap 0 nosegneg\n/opt/z\n")
	write(t, filepath.Join(dir, "conf.d", "b.conf"), "/opt/b\ninclude "+main+"\n")
	got := loaderConfig(main, 0)
	if !slices.Equal(got[:2], []string{"/opt/a", "/opt/b"}) || got[len(got)-1] != "/opt/z" {
		t.Errorf("folders %v", got)
	}
	if len(got) > 20 {
		t.Errorf("a file that includes itself gave %d folders", len(got))
	}
}
