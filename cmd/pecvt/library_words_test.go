package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// flagInText is a flag as a message would spell it.
var flagInText = regexp.MustCompile(`--[a-z]`)

// TestLibraryNamesNoFlags: texts of the library name options by posenc/hint,
// which the command says in flags.
func TestLibraryNamesNoFlags(t *testing.T) {
	files := 0
	for _, dir := range []string{"posenc", "convert", "onnxops", "verify"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			switch filepath.Base(filepath.Dir(path)) {
			case "mutants", "placetest":
				return nil // its page shows commands to type; it starts other programs
			}
			files++
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && flagInText.MatchString(lit.Value) {
					t.Errorf("%s: %s", set.Position(lit.Pos()), lit.Value)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Fatalf("%d files of the library were read", files)
	}
}
