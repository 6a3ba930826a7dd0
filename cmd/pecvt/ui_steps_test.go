package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pecvt/pecvt/verify"
)

func TestRest(t *testing.T) {
	for _, c := range []struct {
		spent       time.Duration
		done, total int
		want        string
	}{
		{3 * time.Second, 10, 20, "about 3 s left"},
		{3 * time.Second, 100, 101, "about 1 s left"},
		{30 * time.Second, 10, 21, "about 35 s left"},
		{time.Minute, 1, 11, "about 10 min left"},
		{5 * time.Second, 0, 2, "about 10 s left"},
	} {
		if got := rest(c.spent, c.done, c.total); got != c.want {
			t.Errorf("%v, %d of %d: %q, want %q", c.spent, c.done, c.total, got, c.want)
		}
	}
}

// TestStepsInCI: work that lasts says how far it is and what is left; short
// work says nothing.
func TestStepsInCI(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&app{}, &out)
	u.steps("one", 1, 10)
	if out.Len() > 0 {
		t.Errorf("short work says %q", out.String())
	}
	u.start, u.last = u.start.Add(-30*time.Second), u.last.Add(-time.Minute)
	u.steps("two", 3, 9)
	if got := out.String(); !strings.HasSuffix(got, "  two  (4 of about 9, about 60 s left)\n") || !progressLine.MatchString(got) {
		t.Errorf("%q", got)
	}
}

// TestStepsOnATerminal: a bar, which goes when the work is done.
func TestStepsOnATerminal(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&app{}, &out)
	u.fd = noTerminal
	u.steps("one", 1, 10)
	if u.progress != nil || !strings.Contains(out.String(), "one") {
		t.Errorf("short work draws %q", out.String())
	}
	u.start = u.start.Add(-30 * time.Second)
	u.steps("two", 3, 9)
	u.steps("three", 12, 13) // more than was planned
	if u.progress == nil {
		t.Error("no bar for long work")
	}
	u.close()
	if u.progress != nil || u.line {
		t.Error("something stays")
	}
}

// TestPlannedSteps: the number of steps that is announced is near the one that
// is made, and never below it.
func TestPlannedSteps(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "src"), os.DirFS("../../testdata/golden/llama-gqa")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if code := run(context.Background(), []string{"convert", "--to", "hope", filepath.Join(dir, "src"), "-o", out, "-q"}, &bytes.Buffer{}, os.Stderr); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for name, opts := range map[string]verify.Options{
		"plain":   {Provider: "cpu"},
		"level":   {Provider: "cpu", OptLevel: "all"},
		"against": {Provider: "cpu", OptLevel: "all", Against: filepath.Join(dir, "src"), Tokens: 200, Curves: true},
	} {
		var made, half int
		opts.Progress = func(_ string, done, total int) {
			if done != made || total <= done {
				t.Errorf("%s: step %d is announced as %d of %d", name, made, done, total)
			}
			made++
			if 2*made <= total {
				half = total
			}
		}
		r, err := verify.Verify(context.Background(), out, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d steps, %d announced half way", name, made, half)
		if r.Runtime != "" && (float64(half) > 1.35*float64(made) || float64(half) < 0.75*float64(made)) {
			t.Errorf("%s: %d steps, but %d were announced half way: correct the steps of the rows in verify/table_*.go", name, made, half)
		}
	}
}
