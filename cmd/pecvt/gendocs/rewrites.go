package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// rewrites is the table from × to; targets that fare alike share a column.
func rewrites() string {
	cells := map[[2]string]string{}
	var from []string
	for _, r := range relations() {
		if !slices.Contains(from, r.From) {
			from = append(from, r.From)
		}
		cells[[2]string{r.From, r.To}] = verdict(r)
	}
	var columns [][]string
	for _, e := range posenc.Encodings() {
		same := func(column []string) bool {
			return !slices.ContainsFunc(from, func(f string) bool { return cells[[2]string{f, column[0]}] != cells[[2]string{f, e.Name}] })
		}
		if i := slices.IndexFunc(columns, same); i >= 0 {
			columns[i] = append(columns[i], e.Name)
		} else {
			columns = append(columns, []string{e.Name})
		}
	}
	header := []string{"from \\ to"}
	for _, c := range columns {
		header = append(header, "`"+strings.Join(c, "`, `")+"`")
	}
	var rows [][]string
	for _, f := range from {
		row := []string{"`" + f + "`"}
		for _, c := range columns {
			row = append(row, cells[[2]string{f, c[0]}])
		}
		rows = append(rows, row)
	}
	return markdown(header, rows)
}

// relations is the table of rewrites in the command line's words.
func relations() []rewrite.Relation {
	table := rewrite.Table()
	words.All(&table)
	return table
}

// verdict is a cell's text: the kind, and where it depends, on what.
func verdict(r rewrite.Relation) string {
	if r.When == "" {
		return string(r.Kind)
	}
	return string(r.Kind) + " (" + r.When + "), else " + string(r.Otherwise)
}

// rewriteReasons says how, or why not. Pairs that share kind, condition and
// reason share a row; exact ones come first, refused ones last.
func rewriteReasons() string {
	var groups []group
	for _, r := range relations() {
		key := r
		key.From, key.To = "", ""
		i := slices.IndexFunc(groups, func(g group) bool { return g.key == key })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{key: key, to: map[string][]string{}})
		}
		if !slices.Contains(groups[i].from, r.From) {
			groups[i].from = append(groups[i].from, r.From)
		}
		groups[i].to[r.From] = append(groups[i].to[r.From], r.To)
	}
	kinds := []rewrite.Kind{rewrite.Exact, rewrite.Lossy, rewrite.Refused}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Compare(slices.Index(kinds, a.key.Kind), slices.Index(kinds, b.key.Kind))
	})
	var rows [][]string
	for _, g := range groups {
		rows = append(rows, g.rows()...)
	}
	return markdown([]string{"from", "to", "kind", "how, or why not"}, rows)
}

// group is the pairs of source and target that fare alike for one reason.
type group struct {
	key  rewrite.Relation // without From and To
	from []string
	to   map[string][]string
}

// rows is one row where every source has the same targets, all the others of
// the group or itself alone as its targets; else one for each set of targets.
func (g group) rows() [][]string {
	every := func(targets func(f string) []string) bool {
		return !slices.ContainsFunc(g.from, func(f string) bool { return !sameSet(g.to[f], targets(f)) })
	}
	itself := func(f string) []string { return []string{f} }
	others := func(f string) []string {
		return slices.DeleteFunc(slices.Clone(g.from), func(o string) bool { return o == f })
	}
	switch {
	case len(g.from) > 1 && every(itself):
		return [][]string{{names(g.from), "itself", verdict(g.key), g.key.Reason}}
	case len(g.from) > 2 && every(others):
		return [][]string{{names(g.from), "the others of these", verdict(g.key), g.key.Reason}}
	}
	var sets [][]string // of sources with equal targets
	for _, f := range g.from {
		same := func(s []string) bool { return slices.Equal(g.to[s[0]], g.to[f]) }
		if i := slices.IndexFunc(sets, same); i >= 0 {
			sets[i] = append(sets[i], f)
		} else {
			sets = append(sets, []string{f})
		}
	}
	var rows [][]string
	for _, s := range sets {
		to := names(g.to[s[0]])
		if len(g.to[s[0]]) == len(posenc.Encodings()) {
			to = "all"
		}
		rows = append(rows, []string{names(s), to, verdict(g.key), g.key.Reason})
	}
	return rows
}

func names(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
