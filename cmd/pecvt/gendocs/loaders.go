package main

import (
	"strings"

	"github.com/pecvt/pecvt/convert/loaders"
)

func loaderNames() string {
	var rows [][]string
	for _, l := range loaders.Loaders() {
		rows = append(rows, []string{"`" + l.Name + "`", l.About, string(l.Takes), l.Version})
	}
	return markdown([]string{"loader", "what it is", "takes", "looked at"}, rows)
}

func loaderForms() string {
	var rows [][]string
	for _, f := range loaders.Forms() {
		rows = append(rows, []string{"`" + f.Name + "`", string(f.Takes), f.About})
	}
	return markdown([]string{"form", "of a", "what it says, or is"}, rows)
}

func loaderRows() string {
	var rows [][]string
	for _, r := range loaders.Rows() {
		if r.Outcome == loaders.Unknown {
			continue
		}
		families := "every family"
		if r.Families != nil {
			families = strings.Join(r.Families, ", ")
		}
		rows = append(rows, []string{r.Loader, strings.Join(r.Forms, ", "), families, string(r.Outcome), string(r.How), r.Note})
	}
	return markdown([]string{"loader", "form", "family", "outcome", "known by", "note"}, rows)
}
