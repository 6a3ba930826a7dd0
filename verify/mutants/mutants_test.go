package mutants

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

const testdata = "../../testdata"

// TestMutants plants every mutant: verification has to find each by a named
// check, and each has to compute something else or say why it is a fault. Where
// all of them ran, docs/mutants.md has to tell the same.
func TestMutants(t *testing.T) {
	present := runtimePresent(t)
	r := Runner{Testdata: testdata, Scratch: t.TempDir()}
	list := Mutants()
	results := make([]Result, len(list))
	t.Cleanup(func() {
		if present && !slices.ContainsFunc(results, func(r Result) bool { return r.Mutant.Name == "" }) {
			current(t, Table(results))
			for _, name := range unproved(results) {
				t.Errorf("check %q finds no mutant: plant one (verify/mutants/mutants_*.go), or name the test that makes it fail (provedElsewhere)", name)
			}
		}
	})
	for i, m := range list {
		if testing.Short() && i%8 != 0 {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Run(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			results[i] = got
			if !got.Caught() && !present && m.Name == "weight-rounded-to-f16" {
				t.Skip("casts round in ONNX Runtime alone, whose library is not here")
			}
			if !got.Caught() {
				t.Fatalf("survives: %s (exit code %d); allclose sees it: %v", m.Change, got.Exit, got.Naive.Seen)
			}
			if m.Still == "" && got.Moved == 0 && !got.Broke {
				t.Errorf("no logit moves: the mutant computes the same, or has to say why it is a fault; %s: %s", got.Check, got.Detail)
			}
			if present && got.Naive.Exit == 0 && !got.Naive.Ran {
				t.Error("the simplest check did not run")
			}
			t.Logf("%v, exit code %d, moves %.2g: %s; allclose: %v", got.All, got.Exit, got.Moved, got.Detail, got.Naive.Seen)
		})
	}
}

// current tells how docs/mutants.md and a table differ.
func current(t *testing.T, table string) {
	t.Helper()
	const path = "../../docs/mutants.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(data), "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("%s is out of date (make mutants writes it):\n%s", path, diff)
	}
}

// TestBases: without a mutant everything passes, the simplest check included.
func TestBases(t *testing.T) {
	present := runtimePresent(t)
	r := Runner{Testdata: testdata, Scratch: t.TempDir()}
	for i, b := range Bases() {
		if testing.Short() && i%8 != 0 {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Base(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if b.Layers != nil { // the others were not looked at
				want = exitIncomplete
			}
			if got.Check != "" || present && got.Exit != want {
				t.Errorf("exit code %d, %s of %s: %s", got.Exit, got.Check, got.Runner, got.Detail)
			}
			if got.Naive.Ran && got.Naive.Seen != (b.Weights != "" || b.DType != "") { // rounded numbers are others, which only verify allows for
				t.Errorf("allclose: %s", got.Naive.Detail)
			}
		})
	}
}

// TestNames: names are unique, every mutant has a base, and there are enough of
// each kind.
func TestNames(t *testing.T) {
	seen, used := map[string]bool{}, map[string]bool{}
	count := map[Where]int{}
	for _, m := range Mutants() {
		if seen[m.Name] {
			t.Errorf("two mutants %q", m.Name)
		}
		seen[m.Name] = true
		used[m.Base] = true
		count[m.Where]++
		if _, err := find(m.Base); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	for _, b := range Bases() {
		if !used[b.Name] {
			t.Errorf("base %q has no mutant", b.Name)
		}
	}
	t.Logf("%d mutants: %v", len(seen), count)
	for where, n := range map[Where]int{Rewriter: 20, Emitter: 60, Files: 20} {
		if count[where] < n {
			t.Errorf("%d mutants of the %s, at least %d are wanted", count[where], where, n)
		}
	}
}

// runtimePresent tells whether ONNX Runtime takes part; with PECVT_REQUIRE_ORT=1
// it must.
func runtimePresent(t testing.TB) bool {
	t.Helper()
	_, err := ort.Load("")
	if err != nil && os.Getenv(orttest.EnvRequire) == "1" {
		t.Fatalf("%s=1: %v", orttest.EnvRequire, err)
	}
	if err != nil {
		t.Logf("the Go runners alone are checked: %v", err)
	}
	return err == nil
}
