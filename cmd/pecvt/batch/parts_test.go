package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// parted divides jobs whose model is a number into as many parts.
type parted struct {
	part func(name string, at int) Outcome
	now  atomic.Int32
	most atomic.Int32
	mu   sync.Mutex
	runs map[string]int
}

func (p *parted) Count(_ context.Context, _ string, args []string) (n int, o Outcome) {
	_, _ = fmt.Sscan(args[len(args)-1], &n)
	return n, o
}

func (p *parted) Part(_ context.Context, name string, args []string, at int) Outcome {
	n := p.now.Add(1)
	defer p.now.Add(-1)
	for m := p.most.Load(); n > m && !p.most.CompareAndSwap(m, n); m = p.most.Load() {
	}
	p.mu.Lock()
	if p.runs == nil {
		p.runs = map[string]int{}
	}
	p.runs[fmt.Sprint(args[len(args)-1], " ", at)]++
	p.mu.Unlock()
	return p.part(name, at)
}

func (p *parted) Join(_ context.Context, _ string, _ []string, parts [][]byte) Outcome {
	text, _ := json.Marshal(string(bytes.Join(parts, []byte(" "))))
	return Outcome{Stdout: text}
}

// TestParts: parts are run once each, so many at once as there are workers, and joined in
// their order, however many workers there are; jobs with and without parts wait for one
// another.
func TestParts(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		p := &parted{part: func(_ string, at int) Outcome {
			time.Sleep(20 * time.Millisecond) // under Prism's first look
			return Outcome{Stdout: fmt.Append(nil, at), Said: []string{"said once"}}
		}}
		var whole atomic.Int32
		run := func(context.Context, []string) Outcome { whole.Add(1); return Outcome{} }
		records := runParts(t, t.Context(), t.TempDir(), workers, p, run,
			job("a", "7"), job("b", "1"), job("c", "9", "a"), job("d", "none", "c"))
		if got, want := ends(records), "a done, b done, c done, d done"; got != want {
			t.Fatalf("%d workers: %s, want %s", workers, got, want)
		}
		if a := records[0]; string(a.Result) != `"0 1 2 3 4 5 6"` || a.Parts != 7 || len(a.Said) != 1 || a.Seconds <= 0 {
			t.Errorf("%d workers: record %+v, result %s", workers, a, a.Result)
		}
		if c := string(records[2].Result); c != `"0 1 2 3 4 5 6 7 8"` {
			t.Errorf("%d workers: result %s", workers, c)
		}
		if records[1].Parts != 0 || whole.Load() != 2 {
			t.Errorf("%d workers: %d jobs were run whole, want 2", workers, whole.Load())
		}
		if int(p.most.Load()) != workers {
			t.Errorf("%d workers: %d parts at once", workers, p.most.Load())
		}
		for part, n := range p.runs {
			if n != 1 {
				t.Errorf("%d workers: part %s was run %d times", workers, part, n)
			}
		}
		if len(p.runs) != 16 {
			t.Errorf("%d workers: %d parts, want 16", workers, len(p.runs))
		}
	}
}

// TestPartFails: a part that fails in a way that may pass is tried again; one that does
// not pass is the job's end, by its number, and what waits for the job is skipped.
func TestPartFails(t *testing.T) {
	defer func(w []time.Duration) { waits = w }(waits)
	waits = []time.Duration{time.Millisecond, time.Millisecond}
	var tried atomic.Int32
	p := &parted{part: func(name string, at int) Outcome {
		switch {
		case strings.HasSuffix(name, " a") && at == 1 && tried.Add(1) < 3:
			return Outcome{ExitCode: 1, Error: "for now", Passing: true}
		case strings.HasSuffix(name, " b") && at > 1:
			return Outcome{ExitCode: 4, Error: "refused", Said: []string{"a warning"}}
		}
		return Outcome{Stdout: fmt.Append(nil, at)}
	}}
	records := runParts(t, t.Context(), t.TempDir(), 2, p, nil, job("a", "3"), job("b", "4"), job("c", "2", "b"))
	if got, want := ends(records), "a done, b failed, c skipped"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	if a := records[0]; len(a.Attempts) != 2 || a.Attempts[0].Error != "for now" || string(a.Result) != `"0 1 2"` {
		t.Errorf("record %+v", a)
	}
	if b := records[1]; b.Error != "part 3 of 4: refused" || b.ExitCode != 4 || b.Result != nil || !slices.Equal(b.Said, []string{"a warning"}) {
		t.Errorf("record %+v", b)
	}
}

// TestPartInterrupted: a batch that is stopped among the parts starts no more.
func TestPartInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var after atomic.Int32
	p := &parted{part: func(_ string, at int) Outcome {
		if ctx.Err() != nil {
			after.Add(1)
		}
		cancel()
		return Outcome{ExitCode: interruptedCode}
	}}
	records := runParts(t, ctx, t.TempDir(), 1, p, nil, job("a", "5"))
	if got := ends(records); got != "a interrupted" || after.Load() > 0 {
		t.Errorf("%s, %d parts after the end", got, after.Load())
	}
}

// TestPartsKept: parts that were done when a batch ended, or when another part failed, are
// not run again by the same command; what was done for other files, or another command
// line, is. A job that ended well leaves none.
func TestPartsKept(t *testing.T) {
	folder := t.TempDir()
	input := filepath.Join(t.TempDir(), "5") // a model that is a number, and a file
	t.Chdir(filepath.Dir(input))
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile("5", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	a := job("a", "5")
	all := []int{0, 1, 2, 3, 4}
	ran := func(p *parted) (list []int) {
		for _, i := range all {
			if p.runs[fmt.Sprint("5 ", i)] > 0 {
				list = append(list, i)
			}
		}
		return list
	}
	stored := func() (list []int) {
		for _, i := range all {
			if _, err := os.Stat(partPath(folder, "a", i)); err == nil {
				list = append(list, i)
			}
		}
		return list
	}
	without := func(list []int, some ...int) []int {
		return slices.DeleteFunc(slices.Clone(list), func(i int) bool { return slices.Contains(some, i) })
	}
	part := func(_ string, at int) Outcome { return Outcome{Stdout: fmt.Append(nil, at), Said: []string{"said"}} }
	bad := 4
	failing := func(name string, at int) Outcome {
		if at == bad {
			return Outcome{ExitCode: 1, Error: "no"}
		}
		return part(name, at)
	}
	check := func(what string, ctx context.Context, workers int, of func(string, int) Outcome, status string, parts []int) *parted {
		t.Helper()
		p := &parted{part: of}
		records := runParts(t, ctx, folder, workers, p, nil, a)
		if got := ends(records); got != "a "+status || parts != nil && !slices.Equal(ran(p), parts) {
			t.Errorf("%s: %s, parts %v were run, want %s and %v", what, got, ran(p), status, parts)
		}
		if r := records[0]; status == "done" && (string(r.Result) != `"0 1 2 3 4"` || !slices.Equal(r.Said, []string{"said"})) {
			t.Errorf("%s: record %+v, result %s", what, r, r.Result)
		}
		if _, err := os.Stat(filepath.Join(folder, partsName)); status == "done" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left %v", what, stored())
		}
		return p
	}

	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Int32
	p := check("interrupted", ctx, 1, func(name string, at int) Outcome {
		if done.Add(1) > 2 { // in which order a runner hands them out is its own affair
			cancel()
			return Outcome{ExitCode: interruptedCode}
		}
		return part(name, at)
	}, "interrupted", nil)
	kept := stored()
	if len(kept) != 2 || len(without(kept, ran(p)...)) > 0 {
		t.Fatalf("interrupted: parts %v are kept of %v", kept, ran(p))
	}
	rest := without(all, kept...)
	bad = rest[0]
	check("failed", t.Context(), 1, failing, "failed", rest)
	if err := os.WriteFile(partPath(folder, "a", kept[0]), []byte(`{"Of": "`), 0o666); err != nil { // of a system that stopped
		t.Fatal(err)
	}
	check("again", t.Context(), 2, part, "done", []int{min(bad, kept[0]), max(bad, kept[0])})

	check("all anew", t.Context(), 1, failing, "failed", all)
	write("another")
	check("other files", t.Context(), 1, part, "done", all)
	if err := os.MkdirAll(partsFolder(folder, "gone"), 0o777); err != nil { // of a job that the file has no more
		t.Fatal(err)
	}
	check("once more", t.Context(), 3, part, "done", all)
}

// runParts is runAll with parts.
func runParts(t *testing.T, ctx context.Context, folder string, workers int, p Parts, run func(context.Context, []string) Outcome, jobs ...Job) []*Record {
	t.Helper()
	return runWorker(t, ctx, folder, false, workers, Worker{Run: run, Parts: p}, jobs...)
}
