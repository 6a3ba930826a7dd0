package batch

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc"
)

// readDefaults reads options that every job of a verb has unless it sets them itself.
func (r *reading) readDefaults(n *yaml.Node) error {
	m, err := r.mapping(n, "defaults")
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(m) {
		verb, err := r.verb(m[name], name, "defaults: verb")
		if err != nil {
			return err
		}
		r.defaults[name] = map[string]option{}
		if err := r.options(m[name], verb, "defaults of "+name, r.defaults[name]); err != nil {
			return err
		}
	}
	return nil
}

// options reads options into set. A list sets an option once per value, null takes a
// default away.
func (r *reading) options(n *yaml.Node, verb Verb, what string, set map[string]option) error {
	m, err := r.mapping(n, what+": options")
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(m) {
		value := m[name]
		if !slices.Contains(verb.Flags, name) {
			return r.fail(value, "%s: option %q of %s%s", what, name, verb.Name, posenc.Suggest(name, verb.Flags))
		}
		if value.Tag == "!!null" {
			delete(set, name)
			continue
		}
		list, err := r.texts(value, what+": option "+name)
		if err != nil {
			return err
		}
		if len(list) > 1 && !slices.Contains(verb.Lists, name) {
			return r.fail(value, "%s: option %s: expected one value, found %d", what, name, len(list))
		}
		o := option{line: value.Line}
		for _, text := range list {
			o.flags = append(o.flags, "--"+name+"="+text)
		}
		set[name] = o
	}
	return nil
}

// waits adds what a job waits for because it reads what another writes, and refuses
// names that are not there and targets that two jobs write.
func (r *reading) waits(jobs []Job) error {
	var names []string
	writers := map[string]int{}
	for i, j := range jobs {
		names = append(names, j.Name)
		if j.Out == "" {
			continue
		}
		if other, taken := writers[canonical(j.Out)]; taken {
			return r.failAt(j.Line, fmt.Errorf("job %s: out %s is written by the job %s too", j.Name, j.Out, jobs[other].Name))
		}
		writers[canonical(j.Out)] = i
	}
	for i := range jobs {
		j := &jobs[i]
		for _, name := range j.After {
			if !slices.Contains(names, name) {
				return r.failAt(j.Line, fmt.Errorf("job %s: after: job %q%s", j.Name, name, posenc.Suggest(name, names)))
			}
		}
		for _, path := range j.reads() {
			if w, found := writer(writers, path); found && w != i && !slices.Contains(j.After, jobs[w].Name) {
				j.After = append(j.After, jobs[w].Name)
			}
		}
	}
	return nil
}

// writer is the job of which a path is the target, or a file or folder in it.
func writer(writers map[string]int, path string) (int, bool) {
	name, query := canonical(path), ""
	if i := strings.LastIndex(name, "?"); i >= 0 && strings.Contains(name, "://") {
		name, query = name[:i], name[i:]
	}
	for {
		if w, found := writers[name+query]; found {
			return w, true
		}
		i := strings.LastIndexAny(name, separators)
		if i <= 0 {
			return 0, false
		}
		name = name[:i]
	}
}

// separators stand between the names of paths and URLs.
const separators = "/" + string(filepath.Separator)

// canonical is a path as other spellings of it are compared.
func canonical(path string) string {
	if place.IsURL(path) {
		if at, err := place.Parse(path); err == nil {
			if _, local := at.Local(); !local {
				_, query, _ := strings.Cut(path, "?")
				return at.String() + "?" + query
			}
			path = at.Path
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// check has every verb check its command line, and looks for the models that no job
// writes.
func (r *reading) check(jobs []Job) error {
	writers := map[string]int{}
	for i, j := range jobs {
		if j.Out != "" {
			writers[canonical(j.Out)] = i
		}
	}
	for _, j := range jobs {
		if err := r.Check(j.Arguments()); err != nil {
			return r.failAt(j.Line, fmt.Errorf("job %s: %w", j.Name, err))
		}
		for _, m := range j.Models {
			if _, found := writer(writers, m); found || strings.Contains(m, "://") {
				continue
			}
			if _, err := os.Stat(m); err != nil {
				return r.failAt(j.Line, fmt.Errorf("job %s: model %s: no such file or folder, and no job writes it: paths are read from the folder where the command runs", j.Name, m))
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
