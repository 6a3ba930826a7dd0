package main

import (
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/convert/family/evidence"
	"github.com/pecvt/pecvt/convert/quant"
)

// code lists names as code.
func code(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

func inertKeys() string {
	var rows [][]string
	for _, g := range config.InertKeys() {
		rows = append(rows, []string{g.Reason, code(g.Keys)})
	}
	return markdown([]string{"why", "keys"}, rows)
}

func guardedKeys() string {
	var rows [][]string
	for _, g := range config.GuardedKeys() {
		then := "refused"
		if g.Foreign {
			then = "warned of"
		}
		rows = append(rows, []string{code([]string{g.Key}), code(g.Neutral), g.Means, then})
	}
	return markdown([]string{"key", "changes nothing", "else it asks for", "and is"}, rows)
}

func synonyms() string {
	var rows [][]string
	for _, s := range config.Synonyms() {
		rows = append(rows, []string{s.Number, code(s.Keys)})
	}
	return markdown([]string{"number", "spellings"}, rows)
}

func ropeNotes() string {
	var rows [][]string
	for _, n := range family.RopeNotes() {
		text := "a note: passed over, with a warning"
		if n.Refused != "" {
			text = "refused: " + n.Refused
		}
		rows = append(rows, []string{code([]string{n.Key}), text})
	}
	return markdown([]string{"key", "what becomes of it"}, rows)
}

func storedFormats() string {
	var rows [][]string
	for _, f := range quant.Formats() {
		names := []string{"`*" + f.Key + "`"}
		for _, suffix := range f.Beside {
			names = append(names, "`*"+suffix+"`")
		}
		rows = append(rows, []string{f.Name, code(f.Methods), strings.Join(names, ", "), f.About})
	}
	return markdown([]string{"format", "`quant_method`", "tensors", "a number is"}, rows)
}

func quantised() string {
	var rows [][]string
	for _, f := range evidence.Formats() {
		var beside []string
		for _, suffix := range f.Beside {
			beside = append(beside, "`*"+suffix+"`")
		}
		rows = append(rows, []string{f.Name, "`" + f.Codes + "`", strings.Join(beside, ", ")})
	}
	return markdown([]string{"format", "codes", "beside them"}, rows)
}
