// Command gendocs writes the generated parts of the documents: tables from the
// registries, between the markers <!-- table:NAME --> and <!-- end:NAME --> of
// the files that documents.go lists, and docs/verify.schema.json from the types
// of a report. It is run by `make gen`; a test fails when a file is behind.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs ROOT")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "gendocs: %v\n", err)
		os.Exit(1)
	}
}

// generate brings the documents of the repository at root up to date.
func generate(root string) error {
	for _, d := range documents() {
		_, want, err := d.filled(root)
		if err != nil {
			return err
		}
		if err := update(filepath.Join(root, filepath.FromSlash(d.path)), []byte(want)); err != nil {
			return err
		}
	}
	schema, err := ReportSchema(filepath.Join(root, "verify", "report"))
	if err != nil {
		return err
	}
	return update(filepath.Join(root, "docs", "verify.schema.json"), schema)
}

// update writes a file that is not what it should be.
func update(path string, want []byte) error {
	if now, err := os.ReadFile(path); err == nil && string(now) == string(want) {
		return nil
	}
	return os.WriteFile(path, want, 0o644)
}
