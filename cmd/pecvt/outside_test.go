package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// TestOutside: a program of another module, a few lines per job, inspects,
// converts, emits, verifies and evaluates a model with what is in the module
// cache.
func TestOutside(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	read := func(path ...string) []byte {
		data, err := os.ReadFile(filepath.Join(path...))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	// the versions are the module's own, so that nothing is fetched
	mod := regexp.MustCompile(`(?m)^module .*`).ReplaceAll(read(root, "go.mod"), []byte("module outside"))
	mod = append(mod, "\nrequire github.com/pecvt/pecvt v0.0.0\n\nreplace github.com/pecvt/pecvt => "+filepath.ToSlash(root)+"\n"...)
	for name, data := range map[string][]byte{
		"go.mod": mod, "go.sum": read(root, "go.sum"), "main.go": read("testdata", "outside", "main.go"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", "-mod=mod", ".", filepath.Join(root, "testdata", "models", "stories260K"), filepath.Join(dir, "hope"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, got, stderr.String())
	}
	verdict := "pass"
	if _, err := ort.Load(""); err != nil && os.Getenv(orttest.EnvRequire) != "1" {
		verdict = "incomplete"
	}
	want := `^inspect: llama rope 512
emit: \[genai_config.json model.onnx\] 4096
verify: ` + verdict + `
eval: 2 results
$`
	if !regexp.MustCompile(want).Match(got) {
		t.Errorf("it prints\n%s\nexpected\n%s", got, want)
	}
}
