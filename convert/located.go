package convert

import (
	"path/filepath"
	"slices"
	"strings"
)

// located is an error about the temporary folder, which is gone when it is read, in
// terms of what is there: a file that is the source's is called so, another by its place
// in the target.
func (w *run) located(err error) error {
	// of two names that begin alike the longer is looked for first
	files := slices.Clone(w.plan.Files)
	slices.SortStableFunc(files, func(a, b FilePlan) int { return len(b.Name) - len(a.Name) })
	var list []string
	for _, f := range files {
		if f.Action == Link || f.Action == Reflink || f.Action == Copy || f.Action == ServerCopy {
			list = append(list, filepath.Join(w.dir, filepath.FromSlash(f.Name)), w.folder.Path(f.Source))
		}
	}
	text := strings.NewReplacer(append(list, w.dir, w.plan.Output)...).Replace(err.Error())
	if text == err.Error() {
		return err
	}
	return &elsewhere{err, text}
}

// elsewhere is an error in other words.
type elsewhere struct {
	error
	text string
}

func (e *elsewhere) Error() string { return e.text }
func (e *elsewhere) Unwrap() error { return e.error }
