package mutants

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort"
)

// Result is what verification made of a mutant, and what the simplest check did.
type Result struct {
	Mutant Mutant
	// Check is the first check that fails, in the report's order, and Runner
	// what it ran on; "metadata", which compares what files say of themselves,
	// only where nothing else fails: a fault that a file admits is to be seen in
	// the numbers too; "open" where the folder is refused before any check. Both
	// are empty where the mutant survives.
	Check, Runner string
	// All are the distinct names of the checks that fail.
	All []string
	// Exit is pecvt verify's exit code.
	Exit int
	// Moved is the largest distance of a logit, in parts of the largest one: of the
	// changed checkpoint from the right one, and over the checks that fail. Broke
	// tells that a run is an error.
	Moved float64
	Broke bool
	// Detail is the first failing check's.
	Detail string
	Naive  Naive
}

// Caught reports whether the mutant was found by a named check.
func (r Result) Caught() bool { return r.Check != "" && r.Exit != 0 }

// Runner runs mutants. Testdata is the folder of bundled checkpoints, Scratch
// one that it may fill.
type Runner struct{ Testdata, Scratch string }

// Run plants one mutant, verifies the folder and makes the simplest check.
func (r Runner) Run(ctx context.Context, m Mutant) (Result, error) {
	b, err := find(m.Base)
	if err != nil {
		return Result{}, fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	f := &Folder{dir: filepath.Join(r.Scratch, m.Name), testdata: r.Testdata, base: b}
	exact, err := b.Convert(ctx, r.Testdata, f.dir)
	if err != nil {
		return Result{}, err
	}
	right := f.dir + "-right"
	if _, err := b.Convert(ctx, r.Testdata, right); err != nil {
		return Result{}, err
	}
	meant := right
	switch {
	case m.Where == Rewriter && exact:
		meant = b.Source(r.Testdata)
	case m.Where == Rewriter: // of a lossy rewrite's fault an exporter knows nothing
		meant = f.dir
	}
	if m.Where == Rewriter {
		if err := m.plant(f); err != nil {
			return Result{}, err
		}
	}
	if err := b.Emit(f.dir); err != nil {
		return Result{}, fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	if m.Where != Rewriter {
		if err := m.plant(f); err != nil {
			return Result{}, err
		}
	}
	// One level of ONNX Runtime finds nearly all; what it does not is verified as
	// TestBases verifies what has no mutant, at every level.
	result, err := r.judge(ctx, f.dir, b, ort.OptAll)
	if err == nil && !result.Caught() {
		result, err = r.judge(ctx, f.dir, b, "")
	}
	if err != nil {
		return Result{}, err
	}
	result.Mutant = m
	if m.Where != Emitter {
		x, err := distance(ctx, f.dir, right, b.length())
		if err != nil {
			return Result{}, fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		result.Moved = max(result.Moved, x)
	}
	result.Naive, err = naive(ctx, f.dir, meant)
	if err != nil {
		err = fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	return result, err
}

// Base verifies a base without a mutant: it has to pass.
func (r Runner) Base(ctx context.Context, b Base) (Result, error) {
	dir := filepath.Join(r.Scratch, "base-"+b.Name)
	if _, err := b.Convert(ctx, r.Testdata, dir); err != nil {
		return Result{}, err
	}
	if err := b.Emit(dir); err != nil {
		return Result{}, fmt.Errorf("base %s: %w", b.Name, err)
	}
	result, err := r.judge(ctx, dir, b, "")
	if err != nil {
		return result, err
	}
	result.Naive, err = naive(ctx, dir, dir)
	return result, err
}

// judge verifies a folder against its source, as `pecvt verify DIR --against
// SOURCE` does, or some layers of it alone (`--layers`), at one optimisation level, or
// at all of them.
func (r Runner) judge(ctx context.Context, dir string, b Base, level string) (Result, error) {
	o := verify.Options{Against: b.Source(r.Testdata), Layers: b.Layers, Seed: 1, Threads: 1, OptLevel: level}
	if b.Layers != nil {
		o.Against = ""
	}
	report, err := verify.Verify(ctx, dir, o)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{Check: "open", Exit: exitOf(err), Detail: err.Error(), All: []string{"open"}}, nil
	}
	var out Result
	switch report.Verdict {
	case verify.Pass:
	case verify.Fail:
		out.Exit = exitMismatch
	default:
		out.Exit = exitIncomplete
	}
	for _, c := range report.Checks {
		if c.Verdict != verify.Fail {
			continue
		}
		if out.Check == "" || compares[out.Check] {
			out.Check, out.Runner, out.Detail = c.Name, c.Runner, c.Detail
		}
		if !slices.Contains(out.All, c.Name) {
			out.All = append(out.All, c.Name)
		}
		switch x := float64(c.MaxRel); {
		case static[c.Name]:
		case x == 0 || math.IsInf(x, 0) || math.IsNaN(x):
			out.Broke = true
		default:
			out.Moved = max(out.Moved, x)
		}
	}
	return out, nil
}

// static are the checks that compute no logits.
var static = map[string]bool{"weights": true, "tables": true, "window-size": true, "rewrite": true,
	"layers": true, "interface": true, "attributes": true, "metadata": true, "rotation": true, "files": true, "genai": true}

// compares are the checks that hold what files say against each other: another one
// that fails is named before them.
var compares = map[string]bool{"metadata": true, "files": true, "genai": true}

// Exit codes of pecvt, as its README documents them.
const (
	exitError       = 1
	exitMismatch    = 3
	exitUnsupported = 4
	exitIncomplete  = 5
)

func exitOf(err error) int {
	if errors.Is(err, posenc.ErrUnsupported) {
		return exitUnsupported
	}
	return exitError
}

// All runs every mutant, a few at a time, in the table's order.
func (r Runner) All(ctx context.Context, list []Mutant, workers int) ([]Result, error) {
	results := make([]Result, len(list))
	errs := make([]error, len(list))
	next := make(chan int)
	done := make(chan struct{})
	for range workers {
		go func() {
			for i := range next {
				results[i], errs[i] = r.Run(ctx, list[i])
			}
			done <- struct{}{}
		}()
	}
	for i := range list {
		next <- i
	}
	close(next)
	for range workers {
		<-done
	}
	return results, errors.Join(errs...)
}
