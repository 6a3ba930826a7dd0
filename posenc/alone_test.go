package posenc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingForTestsAlone: what is declared here is reached from a program of the
// module, by way of its other packages. It goes by names, without types: a method is
// reached when its name is selected by anything that is.
func TestNothingForTestsAlone(t *testing.T) {
	mentions := map[string][]string{} // what each declaration of posenc speaks of
	reached := map[string]bool{"init": true, "_": true, "String": true}
	fset, files := token.NewFileSet(), 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || name == "posenctest" || strings.HasPrefix(name, ".") && name != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if filepath.Dir(path) != filepath.Join("..", "posenc") {
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					reached[s.Sel.Name] = true
				}
				return true
			})
			return nil
		}
		for _, decl := range file.Decls {
			collect(mentions, decl)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 || len(mentions) < 100 {
		t.Fatalf("%d files, %d declarations: expected the whole module", files, len(mentions))
	}
	for grown := true; grown; {
		grown = false
		for name, of := range mentions {
			for _, other := range of {
				if reached[name] && !reached[other] {
					reached[other], grown = true, true
				}
			}
		}
	}
	for name := range mentions {
		if !reached[name] {
			t.Errorf("%s is reached from tests alone: give it a use in a verb, move it to posenctest, or delete it", name)
		}
	}
}

// collect notes a declaration's names with the identifiers that stand in it.
func collect(mentions map[string][]string, decl ast.Decl) {
	note := func(name string, n ast.Node) {
		mentions[name] = append(mentions[name], identifiers(n, name)...)
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		note(d.Name.Name, d.Type)
		if d.Body != nil {
			note(d.Name.Name, d.Body)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				note(s.Name.Name, s.Type)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					note(name.Name, s)
				}
			}
		}
	}
}

// identifiers lists those below a node, but for the name itself.
func identifiers(n ast.Node, but string) (list []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name != but {
			list = append(list, id.Name)
		}
		return true
	})
	return list
}
