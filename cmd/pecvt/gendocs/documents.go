package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// document is a file with generated parts, each between the markers
// <!-- table:NAME --> and <!-- end:NAME -->.
type document struct {
	path  string // from the repository's root, with slashes
	parts []part
}

// part is one generated table, or list, of a document.
type part struct {
	name string
	text func() string
}

// documents lists what is generated where.
func documents() []document {
	return []document{
		{"README.md", []part{
			{"encodingnames", encodingNames},
			{"familynames", familyNames},
		}},
		{"docs/rewrites.md", []part{
			{"encodings", encodings},
			{"rewrites", rewrites},
			{"rewritehow", rewriteReasons},
		}},
		{"docs/reference.md", []part{
			{"families", familyTable},
			{"ropetypes", ropeTypes},
			{"ops", opTable},
		}},
		{"docs/loaders.md", []part{
			{"loaders", loaderNames},
			{"forms", loaderForms},
			{"loaderrows", loaderRows},
		}},
		{"docs/inputs.md", []part{
			{"inertkeys", inertKeys},
			{"guardedkeys", guardedKeys},
			{"synonyms", synonyms},
			{"ropenotes", ropeNotes},
			{"stored", storedFormats},
			{"quantised", quantised},
		}},
		{"docs/gguf.md", []part{
			{"ggufarchs", ggufArchs},
			{"ggmltypes", ggmlTypes},
		}},
		{"docs/checks.md", []part{
			{"checks", checkTable},
			{"tolerances", tolerances},
		}},
	}
}

// filled is a document of the repository at root as it is and as it should be.
func (d document) filled(root string) (now, want string, err error) {
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(d.path)))
	if err != nil {
		return "", "", err
	}
	want, err = Fill(string(raw), d.parts)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", d.path, err)
	}
	return string(raw), want, nil
}

// Fill replaces every generated part of a document. A marker that no part
// answers to, or a part without a marker, is an error.
func Fill(doc string, parts []part) (string, error) {
	for _, p := range parts {
		open, end := "<!-- table:"+p.name+" -->\n", "<!-- end:"+p.name+" -->"
		i := strings.Index(doc, open)
		j := strings.Index(doc, end)
		if i < 0 || j < i {
			return "", fmt.Errorf("markers of table %q are missing", p.name)
		}
		doc = doc[:i+len(open)] + p.text() + doc[j:]
	}
	if n := strings.Count(doc, "<!-- table:"); n != len(parts) {
		return "", fmt.Errorf("%d markers for %d tables: one names no table, or one twice", n, len(parts))
	}
	return doc, nil
}
