// Command gen runs every mutant and writes the table of what finds it. It
// is run by `make mutants` and `make gen`, needs ONNX Runtime's library, and
// fails when a mutant survives.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"

	"github.com/pecvt/pecvt/verify/mutants"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen TABLE.md (from the folder verify/mutants)")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

func write(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	scratch, err := os.MkdirTemp("", "pecvt-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	r := mutants.Runner{Testdata: "../../testdata", Scratch: scratch}
	results, err := r.All(ctx, mutants.Mutants(), runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	for _, r := range results {
		if !r.Naive.Ran {
			return fmt.Errorf("ONNX Runtime's library is not there: fetch it with make ort")
		}
	}
	if err := os.WriteFile(path, []byte(mutants.Table(results)), 0o644); err != nil {
		return err
	}
	fmt.Print(mutants.Totals(results))
	for _, r := range results {
		if !r.Caught() {
			err = fmt.Errorf("%s survives", r.Mutant.Name)
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return err
}
