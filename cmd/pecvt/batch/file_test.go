package batch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var testReader = Reader{
	Verbs: []Verb{
		{Name: "convert", Writes: true, Flags: []string{"to", "no-onnx", "text"}, Lists: []string{"text"}},
		{Name: "verify", Flags: []string{"against"}},
		{Name: "eval", Several: true, Flags: []string{"text", "lengths"}, Lists: []string{"text", "lengths"}},
	},
	Check: func(args []string) error {
		if strings.Contains(strings.Join(args, " "), "--to=nothing") {
			return errors.New("no such encoding")
		}
		return nil
	},
}

func readText(t *testing.T, text string) ([]Job, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, d := range []string{"src", "other"} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("jobs.yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return testReader.Read("jobs.yaml")
}

// TestRead: options become flags, defaults give way, and who reads what another
// writes waits for it.
func TestRead(t *testing.T) {
	jobs, err := readText(t, `
defaults:
  convert: {to: hope, no-onnx: true, text: [a, b]}
jobs:
  - name: check
    verb: verify
    model: ./out/../hope
    options: &o {against: src}
  - {name: first, verb: convert, model: src, out: hope}
  - {name: second, verb: convert, model: src, out: pi, options: {to: pi, text: null, no-onnx: false}}
  - {name: score, verb: eval, model: [pi, hope], options: {lengths: [64, 512]}, after: check}
`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ args, after string }{
		{"verify --against=src --json --quiet -- ./out/../hope", "first"},
		{"convert --no-onnx=true --text=a --text=b --to=hope --output=hope --json --quiet -- src", ""},
		{"convert --no-onnx=false --to=pi --output=pi --json --quiet -- src", ""},
		{"eval --lengths=64 --lengths=512 --json --quiet -- pi hope", "check second first"},
	} {
		if got := strings.Join(jobs[i].Arguments(), " "); got != want.args {
			t.Errorf("job %d: %s, want %s", i, got, want.args)
		}
		if got := strings.Join(jobs[i].After, " "); got != want.after {
			t.Errorf("job %d waits for %q, want %q", i, got, want.after)
		}
	}
}

// TestReadInside: a file or folder of a target is waited for as the target is.
func TestReadInside(t *testing.T) {
	jobs, err := readText(t, `
jobs:
  - {name: here, verb: convert, model: src, out: out/hope}
  - {name: there, verb: convert, model: src, out: 's3://bucket/a b?region=x'}
  - {name: file, verb: verify, model: out/hope/model.safetensors, options: {against: 's3://bucket/a%20b/deep/model.safetensors?region=x'}}
  - {name: beside, verb: verify, model: 's3://bucket/a%20b.safetensors?region=x', options: {against: 's3://bucket/a%20b/x?region=y'}}
`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "here there", ""} {
		if got := strings.Join(jobs[i].After, " "); got != want {
			t.Errorf("job %s waits for %q, want %q", jobs[i].Name, got, want)
		}
	}
}

// TestReadErrors: each fault is one line with the file, the line and the key.
func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "jobs.yaml:1: the file is empty: expected the key jobs with a list of jobs",
		"jobs: []":                 "jobs.yaml:1: jobs: expected a list of jobs, one or more",
		"a: [":                     "jobs.yaml: line 1: did not find expected node content",
		"- a":                      "jobs.yaml:1: the file: expected keys and values (jobs, defaults)",
		"jobs:\n  - a":             "jobs.yaml:2: job: expected keys and values (name, verb, model, out, options, after)",
		"job: 1":                   `jobs.yaml:1: the file: key "job" is unknown; did you mean "jobs"? (valid: defaults, jobs)`,
		"jobs: [{name: a}]\njobs:": `jobs.yaml:2: the file: key "jobs" is there twice`,
		"jobs:\n - {name: a/b}":    `jobs.yaml:2: name "a/b": expected letters, digits, dots, dashes and underscores, 100 at most: it names the job's record`,
		"jobs:\n - {name: a, verb: convrt, model: src}":                                                             `jobs.yaml:2: job a: verb "convrt" is unknown; did you mean "convert"? (valid: convert, eval, verify)`,
		"jobs:\n - {name: a, verb: convert, model: src}":                                                            `jobs.yaml:2: job a: out is missing: what convert writes`,
		"jobs:\n - {name: a, verb: verify, model: src, out: b}":                                                     `jobs.yaml:2: job a: out has no use: verify writes no model`,
		"jobs:\n - {name: a, verb: verify}":                                                                         `jobs.yaml:2: job a: model: expected one, found 0`,
		"jobs:\n - {name: a, verb: verify, model: [src, other]}":                                                    `jobs.yaml:2: job a: model: expected one, found 2`,
		"jobs:\n - {name: a, verb: verify, model: {a: b}}":                                                          `jobs.yaml:2: job a: model: expected a text, or a list of texts`,
		"jobs:\n - {name: a, verb: verify, model: src, opts: 1}":                                                    `jobs.yaml:2: job: key "opts" is unknown; did you mean "out"? (valid: after, model, name, options, out, verb)`,
		"jobs:\n - name: a\n   verb: verify\n   model: src\n   options:\n     againts: b":                           `jobs.yaml:6: job a: option "againts" of verify is unknown; did you mean "against"? (valid: against)`,
		"defaults: {verify: {to: a}}\njobs: []":                                                                     `jobs.yaml:1: defaults of verify: option "to" of verify is unknown (valid: against)`,
		"jobs:\n - {name: a, verb: verify, model: src}\n - {name: A, verb: verify, model: src}":                     `jobs.yaml:3: name "A" is taken by the job of line 2 (case does not count: it names a file)`,
		"jobs:\n - {name: a, verb: verify, model: src, after: b}":                                                   `jobs.yaml:2: job a: after: job "b" is unknown`,
		"jobs:\n - {name: a, verb: verify, model: nothing}":                                                         `jobs.yaml:2: job a: model nothing: no such file or folder, and no job writes it`,
		"jobs:\n - {name: a, verb: convert, model: src, out: b, options: {to: nothing}}":                            `jobs.yaml:2: job a: no such encoding`,
		"jobs:\n - {name: a, verb: convert, model: src, out: b}\n - {name: c, verb: convert, model: src, out: ./b}": `jobs.yaml:3: job c: out ./b is written by the job a too`,
		"jobs:\n - {name: a, verb: convert, model: c, out: b}\n - {name: d, verb: convert, model: b, out: c}":       `jobs.yaml: jobs wait for one another in a circle, or behind one: a, d`,
		"jobs:\n - {name: a, verb: convert, model: src, out: b}\n---\njobs: []":                                     `jobs.yaml:3: a second document begins (---): expected one`,
		"jobs:\n - {name: a, verb: convert, model: src, out: b}\n---\na: [":                                         `jobs.yaml: line 4: did not find`,
		"jobs:\n - {name: a, verb: convert, model: src, out: b, options: {to: [hope, pi]}}":                         `jobs.yaml:2: job a: option to: expected one value, found 2`,
		"defaults: {convert: null}\njobs: []":                                                                       `jobs.yaml:1: defaults of convert: options: expected keys and values`,
		"jobs:\n - {name: a, verb: verify, model: src, after: a}":                                                   `in a circle`,
		"x: &x [*x]\njobs: *x": `key "x" is unknown`,
		"jobs:\n - {name: a, verb: eval, model: src, options: {text: [[a]]}}":                                                               `jobs.yaml:2: job a: option text: expected a text, or a list of texts`,
		"jobs:\n - {name: " + strings.Repeat("a", 101) + "}":                                                                                `100 at most`,
		"jobs:\n - {name: a, verb: verify, model: s3://bucket/x}\n - {name: b, verb: verify, model: s3://bucket/x, options: {against: ''}}": `job b: option against: expected a text`,
	} {
		_, err := readText(t, text)
		var fault *Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n%v, want\n%s", text, err, want)
		}
	}
	if _, err := testReader.Read(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
