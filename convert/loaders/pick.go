package loaders

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Named checks loaders' names and sorts them by what they take. An unknown name
// is an error as of Find.
func Named(names []string) (checkpoints, graphs []string, err error) {
	for _, name := range names {
		l, err := Find(name)
		if err != nil {
			return nil, nil, err
		}
		list := &checkpoints
		if l.Takes == Graph {
			list = &graphs
		}
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	return checkpoints, graphs, nil
}

// Missing returns the verdicts of named loaders that are not Right; a name without
// a verdict is Unknown.
func Missing(list []Verdict, names []string) []Verdict {
	var out []Verdict
	for _, name := range names {
		i := slices.IndexFunc(list, func(v Verdict) bool { return v.Loader == name })
		if i < 0 {
			out = append(out, Verdict{Loader: name, Outcome: Unknown})
		} else if list[i].Outcome != Right {
			out = append(out, list[i])
		}
	}
	return out
}

// Beside returns what a loader of graphs makes of a folder of a family, whatever the
// graph: form is the one that the configuration says its encoding in, or BFloat16 for
// the weights. Unknown where it looks at neither.
func Beside(name, form, family string) (Verdict, error) {
	l, err := Find(name)
	if err != nil || l.Takes != Graph {
		return Verdict{}, err
	}
	v := judge(l, form, "")
	if v.Outcome != Refused && l.Types != nil { // whatever the form of the graph
		if of := judge(l, Standard, family); of.Outcome == Refused {
			return of, nil
		}
	}
	return v, nil
}

// JudgeFolder is [Judge] of a graph beside a configuration that says its encoding in
// a form, and weights of another: a loader that refuses any of them ([Beside])
// refuses the folder.
func JudgeFolder(graph, family string, beside ...string) []Verdict {
	list := Judge(graph, family)
	for i, v := range list {
		for _, form := range beside {
			if b, err := Beside(v.Loader, form, family); err == nil && b.Outcome == Refused {
				list[i] = b
			}
		}
	}
	return list
}

// Reasons says of each verdict why the loader does not compute a result.
func Reasons(list []Verdict) string {
	var parts []string
	for _, v := range list {
		text := fmt.Sprintf("%s: %s", v.Loader, v.Outcome)
		if v.Outcome == Unknown {
			text = v.Loader + ": neither run nor read"
		}
		if v.Note != "" {
			text += " (" + v.Note + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// PickGraph returns the first form of a graph that all named loaders of graphs
// run, for a model of a family. Where there is none the error says which loader
// stands against each form; it wraps posenc.ErrUnsupported.
func PickGraph(names []string, family string, forms ...string) (string, error) {
	var why []string
	for _, form := range forms {
		missing := Missing(Judge(form, family), names)
		if len(missing) == 0 {
			return form, nil
		}
		why = append(why, form+": "+Reasons(missing))
	}
	return "", fmt.Errorf("no form of graph is known to run in all of %s (%s): %w; name fewer and write once for each", strings.Join(names, ", "), strings.Join(why, "; "), posenc.ErrUnsupported)
}
