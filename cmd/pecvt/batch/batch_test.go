package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// job is one whose verb the tests' worker knows; its model is what the worker does.
func job(name, model string, after ...string) Job {
	return Job{Name: name, Verb: "inspect", Models: []string{model}, After: after}
}

// runAll runs jobs through Prism and returns what became of them.
func runAll(t *testing.T, ctx context.Context, folder string, resume bool, workers int, run func(context.Context, []string) Outcome, jobs ...Job) []*Record {
	t.Helper()
	return runWorker(t, ctx, folder, resume, workers, Worker{Run: run}, jobs...)
}

func runWorker(t *testing.T, ctx context.Context, folder string, resume bool, workers int, w Worker, jobs ...Job) []*Record {
	t.Helper()
	levels, err := Levels(jobs)
	if err != nil {
		t.Fatal(err)
	}
	p := Plan{Levels: levels, Batch: Batch{Folder: folder, Run: time.Now().Format(time.RFC3339Nano), Resume: resume, Version: "test"}, Runner: Prism, Workers: workers}
	w.Say, w.Version = func(string) {}, "test"
	finish := Serve(ctx, w, workers)
	err = Run(ctx, p)
	finish()
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	records, err := p.Records(jobs)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func ends(records []*Record) string {
	var out []string
	for _, r := range records {
		out = append(out, fmt.Sprintf("%s %s", r.Name, r.Status))
	}
	return strings.Join(out, ", ")
}

// TestOrder: a job starts when those that it waits for have ended, what waits for a
// failure is skipped, and the others go on.
func TestOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	run := func(_ context.Context, args []string) Outcome {
		mu.Lock()
		defer mu.Unlock()
		model := args[len(args)-1]
		order = append(order, model)
		if model == "bad" {
			return Outcome{ExitCode: 3, Error: "wrong"}
		}
		return Outcome{Stdout: []byte(`{"model": "` + model + `"}`)}
	}
	records := runAll(t, t.Context(), t.TempDir(), false, 2, run,
		job("c", "third", "b"), job("b", "second", "a"), job("a", "first"), job("x", "bad"), job("y", "never", "x", "a"), job("z", "last", "y"))
	if got, want := ends(records), "c done, b done, a done, x failed, y skipped, z skipped"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if slices.Contains(order, "never") || slices.Contains(order, "last") {
		t.Errorf("skipped jobs were run: %v", order)
	}
	if a, b, c := slices.Index(order, "first"), slices.Index(order, "second"), slices.Index(order, "third"); a < 0 || a > b || b > c {
		t.Errorf("order %v", order)
	}
	if string(records[0].Result) != "" {
		var got struct{ Model string }
		if err := json.Unmarshal(records[0].Result, &got); err != nil || got.Model != "third" {
			t.Errorf("result %s", records[0].Result)
		}
	} else {
		t.Error("the result is not in the record")
	}
	if code := Worst(records); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

// TestShared: so many jobs run at once as there are workers, and no more.
func TestShared(t *testing.T) {
	var now, most atomic.Int32
	run := func(context.Context, []string) Outcome {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(300 * time.Millisecond)
		now.Add(-1)
		return Outcome{}
	}
	var jobs []Job
	for i := range 8 {
		jobs = append(jobs, job(fmt.Sprint("j", i), "m"))
	}
	records := runAll(t, t.Context(), t.TempDir(), false, 2, run, jobs...)
	if most.Load() != 2 {
		t.Errorf("%d at once, want 2", most.Load())
	}
	if i := slices.IndexFunc(records, func(r *Record) bool { return r.Status != Done }); i >= 0 {
		t.Errorf("%s", ends(records))
	}
}

// TestRetry: what may pass is tried three times, what does not pass once.
func TestRetry(t *testing.T) {
	defer func(w []time.Duration) { waits = w }(waits)
	waits = []time.Duration{time.Millisecond, time.Millisecond}
	var mu sync.Mutex
	tries := map[string]int{}
	run := func(_ context.Context, args []string) Outcome {
		mu.Lock()
		defer mu.Unlock()
		model := args[len(args)-1]
		tries[model]++
		switch {
		case model == "twice" && tries[model] == 2:
			return Outcome{}
		case model == "final":
			return Outcome{ExitCode: 4, Error: "refused"}
		}
		return Outcome{ExitCode: 1, Error: fmt.Sprint("failure ", tries[model]), Passing: true}
	}
	records := runAll(t, t.Context(), t.TempDir(), false, 1, run, job("a", "twice"), job("b", "always"), job("c", "final"))
	if got, want := ends(records), "a done, b failed, c failed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if tries["twice"] != 2 || tries["always"] != 3 || tries["final"] != 1 {
		t.Errorf("tries %v", tries)
	}
	if r := records[0]; r.Error != "" || len(r.Attempts) != 1 || r.Attempts[0].Error != "failure 1" {
		t.Errorf("record %+v", r)
	}
	if r := records[1]; r.Error != "failure 3" || len(r.Attempts) != 2 {
		t.Errorf("record %+v", r)
	}
}

// TestInterrupted: a batch that is stopped waits for what runs, starts no more, and
// the next one runs what was not done.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder := t.TempDir()
	var ran, running atomic.Int32
	jobs := []Job{job("a", "m"), job("b", "m"), job("c", "m"), job("d", "m", "a")}
	records := runAll(t, ctx, folder, true, 1, func(ctx context.Context, _ []string) Outcome {
		if ran.Add(1) == 1 {
			return Outcome{}
		}
		running.Add(1)
		defer running.Add(-1)
		cancel()
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // as a conversion that takes its files away
		return Outcome{ExitCode: interruptedCode, Error: "interrupted"}
	}, jobs...)
	if running.Load() != 0 {
		t.Error("a job still runs")
	}
	counts := map[Status]int{}
	for _, r := range records {
		counts[r.Status]++
	}
	if counts[Done] != 1 || counts[Interrupted] != 1 || counts[NotStarted] != 2 || Worst(records) != 130 {
		t.Errorf("%s, exit code %d", ends(records), Worst(records))
	}
	ran.Store(0)
	records = runAll(t, t.Context(), folder, true, 2, func(context.Context, []string) Outcome { ran.Add(1); return Outcome{} }, jobs...)
	if ran.Load() != 3 || Worst(records) != 0 {
		t.Errorf("%d jobs were run after the interruption, want 3: %s", ran.Load(), ends(records))
	}
}

// TestKept: a target is kept as long as command line, files and target are the same.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	in, out, folder := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "records")
	for _, d := range []string{in, folder} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(in, "weights"), "1")
	j := Job{Name: "a", Verb: "convert", Models: []string{in}, Out: out, Flags: []string{"--to=hope"}}
	runs := 0
	convert := func(context.Context, []string) Outcome {
		runs++
		if err := errors.Join(os.RemoveAll(out), os.Mkdir(out, 0o777)); err != nil {
			t.Error(err)
		}
		write(filepath.Join(out, "pecvt.json"), fmt.Sprint(runs))
		return Outcome{Stdout: []byte("{}")}
	}
	step := func(what string, want Status) {
		t.Helper()
		before := runs
		records := runAll(t, t.Context(), folder, false, 1, convert, j)
		if records[0].Status != want || (runs > before) != (want == Done) {
			t.Errorf("%s: %s after %d runs, want %s", what, ends(records), runs-before, want)
		}
	}
	step("first", Done)
	step("again", Kept)
	step("and again", Kept)
	write(filepath.Join(in, "weights"), "22")
	step("other weights", Done)
	write(filepath.Join(out, "pecvt.json"), "333")
	step("a target that somebody changed", Done)
	j.Flags = []string{"--to=pi"}
	step("other options", Done)
	step("again", Kept)
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	step("no target", Done)

	// A kill leaves the record of a job that runs. Its target appears whole.
	r, err := readRecord(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	r.Status, r.Target, r.Started = running, "", time.Now().Add(-time.Minute)
	if err := writeRecord(folder, r); err != nil {
		t.Fatal(err)
	}
	step("killed after the target appeared", Kept)
	r.Started = time.Now().Add(time.Minute) // the target was there before
	if err := writeRecord(folder, r); err != nil {
		t.Fatal(err)
	}
	step("somebody else's target", Done)
}

// TestWorst: wrong numbers are the worst end, then errors.
func TestWorst(t *testing.T) {
	order := []int{0, 6, 5, 7, 4, 2, 1, 3}
	for i, code := range order {
		var records []*Record
		for _, c := range order[:i+1] {
			records = append([]*Record{{Status: Failed, ExitCode: c}}, records...)
		}
		records = append(records, &Record{Status: Skipped, ExitCode: 130}, &Record{Status: Done})
		if got := Worst(records); got != code {
			t.Errorf("worst of %v is %d, want %d", order[:i+1], got, code)
		}
	}
}

// TestPage: what jobs say is text on the page, whatever it holds.
func TestPage(t *testing.T) {
	r := &Report{File: "jobs.yaml", Runner: Prism, Workers: 2, Jobs: []*Record{
		{Name: "a", Verb: "verify", Status: Failed, ExitCode: 3, Error: "<script>alert(1)</script>", Result: json.RawMessage(`{"x": "</pre><b>"}`)},
		{Name: "b", Verb: "eval", Status: Done, Seconds: 1.5},
	}}
	r.Count()
	var out bytes.Buffer
	if err := r.WritePage(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<!DOCTYPE html>", "2 jobs, 1 done, 1 failed", "&lt;script&gt;", "exit code 3", ">1.50<"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q on the page", want)
		}
	}
	for _, not := range []string{"<script", "<b>"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q on the page", not)
		}
	}
}

// TestNoServer: a runner that is not there is one clear error.
func TestNoServer(t *testing.T) {
	finish := Serve(t.Context(), Worker{}, 1)
	defer finish()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	err := Run(ctx, Plan{Levels: [][]Job{{job("a", "m")}}, Batch: Batch{Folder: t.TempDir()}, Runner: "localhost:1"})
	if err == nil || !strings.HasPrefix(err.Error(), "runner localhost:1: no job server of Beam answers there: ") {
		t.Errorf("error %v", err)
	}
}
