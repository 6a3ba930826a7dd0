package verify

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/pecvt/pecvt/verify/report"
)

// TestTable: every name of a check has one row, which says what it means, and a
// check that names no row does not get into a report.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Checks() {
		if seen[k.Name] {
			t.Errorf("%s has two rows", k.Name)
		}
		seen[k.Name] = true
		if k.Meaning == "" {
			t.Errorf("%s does not say what must hold", k.Name)
		}
		if k.Levels && k.make == nil {
			t.Errorf("%s is for every optimisation level, but nothing makes it", k.Name)
		}
		if (k.when == ofRunners || k.when == ofOthers) && !k.has(NeedRunners) {
			t.Errorf("%s is of the runners' answers and does not need them", k.Name)
		}
	}
	names := namesOfChecks(t)
	for _, n := range names {
		if !seen[n] {
			t.Errorf("%s has no row in the table", n)
		}
	}
	for n := range seen {
		if !slices.Contains(names, n) {
			t.Errorf("%s has a row and is no name of package report", n)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a check that no row has is recorded")
		}
	}()
	s := &session{report: &report.Report{}}
	s.add(report.Check{Name: "golden-hiden.3"})
}

// namesOfChecks reads the constants of names.go.
func namesOfChecks(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "report/names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, x := range v.Values {
				text, err := strconv.Unquote(x.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, text)
			}
		}
		return true
	})
	if len(list) == 0 {
		t.Fatal("report/names.go has no names")
	}
	return list
}
