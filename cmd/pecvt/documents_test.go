package main

import (
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pecvt/pecvt/verify/ort"
)

const repository = "../.."

// documents lists the pages for readers, from the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(repository + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "findings"} {
		err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".md" {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestReadmeIsShort: a first reader's page. What is longer belongs in docs/.
func TestReadmeIsShort(t *testing.T) {
	if n := len(text(t, repository+"/README.md")); n > 10<<10 {
		t.Errorf("README.md has %d bytes, more than 10 KiB", n)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: every link to a file of the repository leads somewhere, and every
// page in docs/ can be reached from its index.
func TestLinks(t *testing.T) {
	linked := map[string]bool{}
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text(t, doc), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", doc, m[1], err)
				continue
			}
			if u.Scheme != "" || u.Path == "" {
				continue
			}
			target := filepath.Join(filepath.Dir(doc), filepath.FromSlash(u.Path))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %q leads nowhere: %v", doc, m[1], err)
			}
			if filepath.Base(doc) == "index.md" {
				linked[target] = true
			}
		}
	}
	for _, doc := range documents(t) {
		if strings.Contains(filepath.ToSlash(doc), "/docs/") && !linked[doc] && doc != filepath.Join(repository, "docs", "index.md") {
			t.Errorf("%s is in no index", doc)
		}
	}
}

var named = regexp.MustCompile("`((?:\\.ci|cmd|convert|docs|findings|onnxops|posenc|testdata|verify)/[A-Za-z0-9_./-]*)`")

// TestPlaces: every file and folder of the repository that a document names is
// there.
func TestPlaces(t *testing.T) {
	for _, doc := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text(t, doc), -1) {
			if _, err := os.Stat(filepath.Join(repository, filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s names %s: %v", doc, m[1], err)
			}
		}
	}
}

var (
	span  = regexp.MustCompile("`[^`\n]+`")
	flagT = regexp.MustCompile(`^[\[(]*--([a-z][a-z-]*)`)
)

// shown returns the command lines of a document's fenced blocks and its inline
// code, continued lines joined.
func shown(doc string) []string {
	var out []string
	for i, part := range strings.Split("\n"+doc, "\n```") {
		if i%2 == 1 {
			out = append(out, strings.Split(strings.ReplaceAll(part, "\\\n", " "), "\n")...)
			continue
		}
		for _, s := range span.FindAllString(part, -1) {
			out = append(out, strings.Trim(s, "`"))
		}
	}
	return out
}

// TestDocumentedCommands: every verb and flag of pecvt that a document shows is
// there, and a flag that stands alone is some verb's.
func TestDocumentedCommands(t *testing.T) {
	known := verbs(&app{})
	root := newRoot(&app{})
	has := func(c *cobra.Command, name string) bool {
		return name == "help" || c.Flags().Lookup(name) != nil || root.PersistentFlags().Lookup(name) != nil
	}
	seen := map[string]bool{}
	for _, doc := range documents(t) {
		if filepath.Base(doc) == "CHANGELOG.md" { // tells of what was
			continue
		}
		for _, line := range shown(text(t, doc)) {
			words := strings.Fields(line)
			if len(words) > 0 && flagT.MatchString(words[0]) { // without its verb
				name := flagT.FindStringSubmatch(words[0])[1]
				if !slices.ContainsFunc(known, func(c *cobra.Command) bool { return has(c, name) }) {
					t.Errorf("%s: no verb has --%s, which %q shows", doc, name, line)
				}
			}
			var verb *cobra.Command
			for i, w := range words {
				m := flagT.FindStringSubmatch(w)
				switch {
				case strings.HasPrefix(w, "#"), w == "&&", w == ";", w == "|" && i+1 < len(words) && !flagT.MatchString(words[i+1]):
					verb = nil
				case (w == "pecvt" || strings.HasSuffix(w, "/pecvt")) && i+1 < len(words) && regexp.MustCompile(`^[a-z]+$`).MatchString(words[i+1]) && (i == 0 || !strings.HasSuffix(words[i-1], "build")):
					at := slices.IndexFunc(known, func(c *cobra.Command) bool { return c.Name() == words[i+1] })
					switch {
					case at >= 0:
						verb = known[at]
						seen[verb.Name()] = true
					case words[i+1] != "help":
						t.Errorf("%s: %q shows a verb %q that is not there", doc, line, words[i+1])
					}
				case m != nil && verb != nil && !has(verb, m[1]):
					t.Errorf("%s: pecvt %s has no --%s, which %q shows", doc, verb.Name(), m[1], line)
				}
			}
		}
	}
	for _, c := range known {
		if !seen[c.Name()] {
			t.Errorf("no document shows pecvt %s", c.Name())
		}
	}
}

// TestDocumentedFlags: every flag of convert, verify and eval is in a document.
func TestDocumentedFlags(t *testing.T) {
	var all strings.Builder
	for _, doc := range documents(t) {
		all.WriteString(text(t, doc))
	}
	for _, c := range verbs(&app{}) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !regexp.MustCompile(`--`+f.Name+`\b`).MatchString(all.String()) {
				t.Errorf("no document tells of --%s of pecvt %s", f.Name, c.Name())
			}
		})
	}
}

// TestDocumentedExitCodes: the tables of exit codes have every code, once.
func TestDocumentedExitCodes(t *testing.T) {
	want := []string{}
	for _, code := range []int{exitOK, exitError, exitUsage, exitMismatch, exitUnsupported, exitIncomplete, exitAmbiguous, exitBudget, exitInterrupted} {
		want = append(want, strconv.Itoa(code))
	}
	for _, doc := range []string{"README.md", "docs/reference.md"} {
		_, after, found := strings.Cut(text(t, filepath.Join(repository, doc)), "\n## Exit codes\n")
		if !found {
			t.Errorf("%s has no exit codes", doc)
			continue
		}
		section, _, _ := strings.Cut(after, "\n## ")
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| `).FindAllStringSubmatch(section, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the exit codes %v, want %v", doc, got, want)
		}
	}
}

// TestHelpNamesPages: the pages that the help of a verb points to are there.
func TestHelpNamesPages(t *testing.T) {
	for _, c := range verbs(&app{}) {
		for _, page := range regexp.MustCompile(`docs/[a-z/-]+\.md`).FindAllString(c.Long, -1) {
			if _, err := os.Stat(filepath.Join(repository, page)); err != nil {
				t.Errorf("help of %s names %s: %v", c.Name(), page, err)
			}
		}
	}
}

// TestReadmeRecipes runs README.md's recipes, in order, on the bundled model: it
// has token ids in the place of a tokenizer and a text, and 512 positions. The
// GGUF file is a small one of another type.
func TestReadmeRecipes(t *testing.T) {
	lib, bash := runtimeAndShell(t)
	_, after, found := strings.Cut(text(t, repository+"/README.md"), "\n## Recipes\n\n```\n")
	block, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatal("README.md has no block of recipes")
	}
	recipes := strings.Split(block, "\n")
	if len(recipes) != 13 {
		t.Fatalf("%d recipes, want 13", len(recipes))
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "path", "to", "model"), os.DirFS(repository+"/testdata/models/stories260K")); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(repository + "/convert/gguf/arch/testdata/llama-tied-bf16.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.Q4_K_M.gguf"), raw, 0o666); err != nil {
		t.Fatal(err)
	}
	// its four planes bear no whole cut, whatever the fit
	here := strings.NewReplacer("--extend 4 --text book.txt", "--extend 2 --steps 4 --over-budget --ids path/to/model/sampled.safetensors", "--text book.txt", "--ids path/to/model/sampled.safetensors", "--lengths 512,2048", "--lengths 128",
		`--prompt "Once upon a time"`, "--ids 1,403,407 --max-tokens 4", "bench graph half int4", "bench graph half int4 --lengths 8 --contexts 8 --repeat 1 --steps 1")
	for _, recipe := range recipes {
		cmd := exec.Command(bash, "-e", "-c", here.Replace(recipe))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), ort.EnvLibrary+"="+lib.Path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s\n%v\n%s", recipe, err, out)
		}
	}
}

// TestReadmeProgram: README.md's program prints what README.md says.
func TestReadmeProgram(t *testing.T) {
	readme := text(t, repository+"/README.md")
	_, after, found := strings.Cut(readme, "\n```go\n")
	program, after, closed := strings.Cut(after, "\n```\n")
	_, after, printed := strings.Cut(after, "\n```\n")
	want, _, _ := strings.Cut(after, "```")
	if !found || !closed || !printed {
		t.Fatal("README.md has no program with its output")
	}
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(program+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"vet", main}
	if !testing.Short() {
		lib, err := ort.Load("")
		if err != nil && os.Getenv("PECVT_REQUIRE_ORT") == "1" {
			t.Fatal(err)
		}
		if err != nil {
			t.Skipf("the program requires ONNX Runtime: %v", err)
		}
		t.Setenv(ort.EnvLibrary, lib.Path)
		model := "testdata/models/stories260K"
		args = []string{"run", main, model, filepath.Join(dir, "out"), model + "/sampled.safetensors"}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if !testing.Short() && string(out) != want {
		t.Errorf("README.md's program prints\n%s\nand README.md says\n%s", out, want)
	}
}
