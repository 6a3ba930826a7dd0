// Command gendocs writes the tables of README.md from the registries, between
// the markers <!-- table:NAME --> and <!-- end:NAME -->. It is run by
// `make gen`; a test fails when the file is behind.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs README.md")
		os.Exit(2)
	}
	path := os.Args[1]
	before, err := os.ReadFile(path)
	if err == nil {
		var after string
		if after, err = Fill(string(before)); err == nil && after != string(before) {
			err = os.WriteFile(path, []byte(after), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gendocs: %s: %v\n", path, err)
		os.Exit(1)
	}
}
