package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/verify/ort"
)

// recipes returns the fenced blocks of a language in docs/ci.md.
func recipes(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, part := range strings.Split(string(text), "\n```") {
		if body, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			out = append(out, body)
		}
	}
	return out
}

// commands returns the shell steps of a recipe that call pecvt convert or
// verify, in order.
func commands(node any) []string {
	var out []string
	switch n := node.(type) {
	case map[string]any:
		for _, key := range []string{"jobs", "verify", "steps", "run", "script"} {
			if value, ok := n[key]; ok {
				out = append(out, commands(value)...)
			}
		}
	case []any:
		for _, item := range n {
			out = append(out, commands(item)...)
		}
	case string:
		if strings.Contains(n, "pecvt ") && !strings.Contains(n, "go install") || strings.Contains(n, "mkdir") {
			out = append(out, n)
		}
	}
	return out
}

// TestRecipes parses the recipes of docs/ci.md and runs their steps on a small
// model: they end green and leave the artefacts that the recipe keeps; with a
// damaged result they end with the code of a mismatch and leave them too.
func TestRecipes(t *testing.T) {
	lib, bash := runtimeAndShell(t)
	if _, err := exec.LookPath("pecvt"); err != nil { // TestMain puts it there
		t.Fatal(err)
	}
	blocks := recipes(t, "yaml")
	if len(blocks) != 3 {
		t.Fatalf("%d recipes, want 3", len(blocks))
	}
	for i, block := range blocks {
		var doc map[string]any
		if err := yaml.Unmarshal([]byte(block), &doc); err != nil {
			t.Fatalf("recipe %d: %v", i, err)
		}
		steps := commands(doc)
		if i == 2 { // the exit codes that may fail
			continue
		}
		if len(steps) < 2 || !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "--junit verify/junit.xml") }) {
			t.Fatalf("recipe %d has the steps %q", i, steps)
		}
		for _, damaged := range []bool{false, true}[:2-i] {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "model"), os.DirFS("../../testdata/golden/llama-gqa")); err != nil {
				t.Fatal(err)
			}
			script := strings.Join(steps, "\n")
			if damaged { // another base than the one the tables were made for
				at := strings.Index(script, "pecvt verify")
				script = script[:at] + "sed -i.before 's/\"rope_theta\": *[0-9.]*/\"rope_theta\": 500.0/' out/config.json\n" + script[at:]
			}
			cmd := exec.Command(bash, "-e", "-o", "pipefail", "-c", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "MODEL=model", "ENCODING=hope", ort.EnvLibrary+"="+lib.Path)
			out, err := cmd.CombinedOutput()
			code := cmd.ProcessState.ExitCode()
			if want := map[bool]int{false: exitOK, true: exitMismatch}[damaged]; code != want {
				t.Errorf("recipe %d, damaged %v: exit code %d, want %d: %v\n%s", i, damaged, code, want, err, out)
			}
			for _, name := range []string{"junit.xml", "report.html", "report.json"} {
				if st, err := os.Stat(filepath.Join(dir, "verify", name)); err != nil || st.Size() == 0 {
					t.Errorf("recipe %d, damaged %v: no %s: %v", i, damaged, name, err)
				}
			}
		}
	}
	for _, block := range recipes(t, "sh") {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "model"), os.DirFS("../../testdata/golden/llama-gqa")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bash, "-e", "-c", block)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "MODEL=model", "ENCODING=hope", ort.EnvLibrary+"="+lib.Path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("by hand: %v\n%s", err, out)
		}
	}
}

// TestBucketRecipe runs the recipe for models in a bucket, and again over its result.
func TestBucketRecipe(t *testing.T) {
	lib, bash := runtimeAndShell(t)
	s := placetest.StartS3(t)
	s.PutFolder(t, "llama", "../../testdata/golden/llama-gqa")
	blocks := recipes(t, "bash")
	if len(blocks) != 1 {
		t.Fatalf("%d recipes, want 1", len(blocks))
	}
	dir := t.TempDir()
	for range 2 {
		cmd := exec.Command(bash, "-e", "-c", blocks[0])
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SOURCE="+s.URL("llama"), "TARGET="+s.URL("llama-hope"), "ENCODING=hope", "PECVT_CACHE="+dir, ort.EnvLibrary+"="+lib.Path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, name := range []string{"convert.json", "report.html", "junit.xml"} {
			if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Size() == 0 {
				t.Errorf("no %s: %v", name, err)
			}
		}
		for _, name := range []string{"config.json", "pecvt.json", "model.onnx", "model.safetensors"} {
			if !slices.Contains(s.Objects(t, "llama-hope"), name) {
				t.Errorf("no %s in the bucket", name)
			}
		}
	}
}

// runtimeAndShell returns what recipes need, ONNX Runtime and bash. A machine that
// lacks one skips the test; without the runtime it fails where that is required.
func runtimeAndShell(t *testing.T) (lib ort.Library, bash string) {
	t.Helper()
	lib, err := ort.Load("")
	if err != nil && os.Getenv("PECVT_REQUIRE_ORT") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("the recipes require ONNX Runtime: %v", err)
	}
	if bash, err = exec.LookPath("bash"); err != nil {
		t.Skip("this machine has no bash to run the recipes in")
	}
	return lib, bash
}
