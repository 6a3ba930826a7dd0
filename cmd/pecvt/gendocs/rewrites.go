package main

import (
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// rewrites is the table from × to; targets that fare alike share a column.
func rewrites() string {
	cells := map[[2]string]string{}
	var from []string
	for _, r := range rewrite.Table() {
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

// verdict is a cell's text: the kind, and where it depends, on what.
func verdict(r rewrite.Relation) string {
	if r.When == "" {
		return string(r.Kind)
	}
	return string(r.Kind) + " (" + r.When + "), else " + string(r.Otherwise)
}

// rewriteReasons says how, or why not, for each pair; pairs that share it share
// a row.
func rewriteReasons() string {
	var order []rewrite.Relation
	targets := map[rewrite.Relation][]string{}
	for _, r := range rewrite.Table() {
		key := r
		key.To = ""
		if targets[key] == nil {
			order = append(order, key)
		}
		targets[key] = append(targets[key], r.To)
	}
	var rows [][]string
	for _, key := range order {
		to := "`" + strings.Join(targets[key], "`, `") + "`"
		if len(targets[key]) == len(posenc.Encodings()) {
			to = "all"
		}
		rows = append(rows, []string{"`" + key.From + "`", to, verdict(key), key.Reason})
	}
	return markdown([]string{"from", "to", "kind", "how, or why not"}, rows)
}
