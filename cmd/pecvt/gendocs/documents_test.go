package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// TestDocumentsAreCurrent fails when a generated part of a document is behind
// the registries.
func TestDocumentsAreCurrent(t *testing.T) {
	for _, d := range documents() {
		now, want, err := d.filled(root)
		if err != nil {
			t.Error(err)
		} else if now != want {
			t.Errorf("%s is behind the registries: run make gen", d.path)
		}
	}
}

// TestEveryMarkerIsListed: a document with markers that documents does not list
// would never be filled.
func TestEveryMarkerIsListed(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{".git", "build", "bin", "testdata"}, e.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		listed := slices.ContainsFunc(documents(), func(d document) bool { return d.path == filepath.ToSlash(rel) })
		if !listed && strings.Contains(string(raw), "<!-- table:") {
			t.Errorf("%s has a marker and is not among the documents", rel)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFillRefuses(t *testing.T) {
	parts := []part{{"one", func() string { return "new\n" }}}
	doc := "a\n<!-- table:one -->\nold\n<!-- end:one -->\nb\n"
	if got, err := Fill(doc, parts); err != nil || got != strings.Replace(doc, "old", "new", 1) {
		t.Errorf("got %q, %v", got, err)
	}
	for name, doc := range map[string]string{
		"no markers":       "no markers",
		"no end":           "<!-- table:one -->\nold\n",
		"an unknown table": doc + "<!-- table:two -->\n<!-- end:two -->\n",
		"one table twice":  doc + doc,
	} {
		if _, err := Fill(doc, parts); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}
