package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pecvt/pecvt/posenc"
)

// maxFile bounds the file of jobs before it is read.
const maxFile = 16 << 20

// Verb is what a job may be.
type Verb struct {
	Name string
	// Writes tells that a target is written, which must be named.
	Writes bool
	// Several tells that more than one model may be given.
	Several bool
	// Flags are the options' names, without those that the batch sets itself; Lists are
	// those of them that more than one value may be given.
	Flags, Lists []string
}

// Reader reads files of jobs.
type Reader struct {
	Verbs []Verb
	// Check refuses a command line as the verb itself would, before any work.
	Check func(args []string) error
}

// Error is a fault of the file of jobs.
type Error struct {
	File string
	Line int
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 { // of the whole file, or the fault itself has the line
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap is the fault itself.
func (e *Error) Unwrap() error { return e.Err }

// reading is the state of one file.
type reading struct {
	Reader
	file     string
	defaults map[string]map[string]option // verb, option
	at       map[string]int               // line of each name
}

// option is what an option is set to.
type option struct {
	flags []string
	line  int
}

func (r *reading) fail(n *yaml.Node, format string, args ...any) error {
	return r.failAt(n.Line, fmt.Errorf(format, args...))
}

func (r *reading) failAt(line int, err error) error {
	return &Error{File: r.file, Line: line, Err: err}
}

// Read reads the jobs of a YAML file and checks all of them: keys, names, options, what
// they wait for, and the files that they read. Nothing has been started when it returns
// an error.
func (rd Reader) Read(path string) ([]Job, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes: expected a file of jobs", path, maxFile)
	}
	r := &reading{Reader: rd, file: path, defaults: map[string]map[string]option{}, at: map[string]int{}}
	document, err := r.document(raw)
	if err != nil {
		return nil, err
	}
	top, err := r.mapping(document.Content[0], "the file", "jobs", "defaults")
	if err != nil {
		return nil, err
	}
	if n := top["defaults"]; n != nil {
		if err := r.readDefaults(n); err != nil {
			return nil, err
		}
	}
	list := top["jobs"]
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return nil, r.fail(document.Content[0], "jobs: expected a list of jobs, one or more")
	}
	var jobs []Job
	for _, n := range list.Content {
		j, err := r.job(n)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	if err := r.waits(jobs); err != nil {
		return nil, err
	}
	if _, err := Levels(jobs); err != nil {
		return nil, r.failAt(0, err)
	}
	return jobs, r.check(jobs)
}

// document reads the one document of the file: jobs of a second one would not be run.
func (r *reading) document(raw []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil, r.failAt(1, errors.New("the file is empty: expected the key jobs with a list of jobs"))
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			return nil, r.fail(&second, "a second document begins (---): expected one, with all jobs in its list")
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, r.failAt(0, errors.New(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	return &first, nil
}

// mapping reads a mapping whose keys are known and each there once.
func (r *reading) mapping(n *yaml.Node, what string, keys ...string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		known := ""
		if keys != nil {
			known = " (" + strings.Join(keys, ", ") + ")"
		}
		return nil, r.fail(n, "%s: expected keys and values%s", what, known)
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if keys != nil && !slices.Contains(keys, key.Value) {
			return nil, r.fail(key, "%s: key %q%s", what, key.Value, posenc.Suggest(key.Value, keys))
		}
		if out[key.Value] != nil {
			return nil, r.fail(key, "%s: key %q is there twice", what, key.Value)
		}
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		out[key.Value] = value
	}
	return out, nil
}

// texts reads a text or a list of texts.
func (r *reading) texts(n *yaml.Node, what string) ([]string, error) {
	if n == nil {
		return nil, nil
	}
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var out []string
	for _, e := range list {
		if e.Kind != yaml.ScalarNode || e.Tag == "!!null" || e.Value == "" {
			return nil, r.fail(e, "%s: expected a text, or a list of texts", what)
		}
		out = append(out, e.Value)
	}
	return out, nil
}

func (r *reading) text(n *yaml.Node, what string) (string, error) {
	if n != nil && n.Kind != yaml.ScalarNode {
		return "", r.fail(n, "%s: expected a text", what)
	}
	list, err := r.texts(n, what)
	if err != nil || list == nil {
		return "", err
	}
	return list[0], nil
}

// nameForm is what the name of a job may be: it names its record's file.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// job reads one job.
func (r *reading) job(n *yaml.Node) (Job, error) {
	j := Job{Line: n.Line}
	m, err := r.mapping(n, "job", "name", "verb", "model", "out", "options", "after")
	if err != nil {
		return j, err
	}
	if j.Name, err = r.text(m["name"], "name"); err != nil {
		return j, err
	}
	if !nameForm.MatchString(j.Name) {
		return j, r.fail(n, "name %q: expected letters, digits, dots, dashes and underscores, 100 at most: it names the job's record", j.Name)
	}
	if line := r.at[strings.ToLower(j.Name)]; line > 0 {
		return j, r.fail(n, "name %q is taken by the job of line %d (case does not count: it names a file)", j.Name, line)
	}
	r.at[strings.ToLower(j.Name)] = n.Line
	if j.Verb, err = r.text(m["verb"], "verb"); err != nil {
		return j, err
	}
	verb, err := r.verb(n, j.Verb, "job "+j.Name+": verb")
	if err != nil {
		return j, err
	}
	if j.Models, err = r.texts(m["model"], "job "+j.Name+": model"); err != nil {
		return j, err
	}
	if len(j.Models) == 0 || len(j.Models) > 1 && !verb.Several {
		return j, r.fail(n, "job %s: model: expected one, found %d", j.Name, len(j.Models))
	}
	if j.Out, err = r.text(m["out"], "job "+j.Name+": out"); err != nil {
		return j, err
	}
	switch {
	case verb.Writes && j.Out == "":
		return j, r.fail(n, "job %s: out is missing: what %s writes", j.Name, j.Verb)
	case !verb.Writes && j.Out != "":
		return j, r.fail(m["out"], "job %s: out has no use: %s writes no model", j.Name, j.Verb)
	}
	if j.After, err = r.texts(m["after"], "job "+j.Name+": after"); err != nil {
		return j, err
	}
	set := map[string]option{}
	for name, o := range r.defaults[j.Verb] {
		set[name] = o
	}
	if o := m["options"]; o != nil {
		if err := r.options(o, verb, "job "+j.Name, set); err != nil {
			return j, err
		}
	}
	for _, name := range sortedKeys(set) {
		j.Flags = append(j.Flags, set[name].flags...)
	}
	return j, nil
}

// verb finds a verb.
func (r *reading) verb(n *yaml.Node, name, what string) (Verb, error) {
	var names []string
	for _, v := range r.Verbs {
		if v.Name == name {
			return v, nil
		}
		names = append(names, v.Name)
	}
	return Verb{}, r.fail(n, "%s %q%s", what, name, posenc.Suggest(name, names))
}
