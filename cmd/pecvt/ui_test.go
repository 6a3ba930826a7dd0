package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// noTerminal is a descriptor that no terminal has: its width is unknown.
const noTerminal = 1 << 20

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&app{}, &out)
	u.fd = noTerminal
	u.step("one")
	u.step(strings.Repeat("ü", 200))
	u.note("stays")
	u.step("two")
	u.close()
	u.close()
	long := strings.Repeat("ü", 75) + "…"
	if want := "\r\x1b[Kone\r\x1b[K" + long + "\r\x1b[Kstays\n\r\x1b[Ktwo\r\x1b[K"; out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	if n := utf8.RuneCountInString(long); n > 80-4 {
		t.Errorf("a line of %d columns wraps once ^C is added", n)
	}
}

// TestBarEnds: a bar that is complete, one that is not and one that a step cuts
// short are all taken away, and nothing hangs.
func TestBarEnds(t *testing.T) {
	for name, end := range map[string]func(*ui){
		"complete": func(u *ui) { u.bytes("c", 100, 100) },
		"aborted":  func(*ui) {},
		"step":     func(u *ui) { u.step("next") },
		"note":     func(u *ui) { u.note("a word") },
	} {
		var out bytes.Buffer
		u := newUI(&app{}, &out)
		u.fd = noTerminal
		u.bytes("a", 1, 100)
		if u.progress != nil {
			t.Errorf("%s: a bar for short work", name)
		}
		u.start = time.Now().Add(-time.Minute)
		u.bytes("a", 10, 100)
		u.bytes("b", 20, 100)
		if u.progress == nil {
			t.Errorf("%s: no bar for long work", name)
		}
		end(u)
		done := make(chan struct{})
		go func() { u.close(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: close hangs", name)
		}
		if u.progress != nil || u.line {
			t.Errorf("%s: something stays", name)
		}
	}
}

func TestProgressInCI(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&app{}, &out)
	u.step("soon")
	u.bytes("file", 1, 2)
	u.close()
	if out.Len() > 0 {
		t.Errorf("short work says %q", out.String())
	}
	u.last = u.last.Add(-time.Minute)
	u.bytes("file", 1e9, 2e9)
	u.bytes("file", 1.5e9, 2e9)
	u.last = u.last.Add(-time.Minute)
	u.step("later")
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || !progressLine.MatchString(lines[0]) || !strings.HasSuffix(lines[0], "  file  1.00 GB of 2.00 GB") || !strings.HasSuffix(lines[1], "  later") {
		t.Errorf("%q", lines)
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "\r") {
		t.Errorf("control characters in a log: %q", out.String())
	}
}

func TestQuiet(t *testing.T) {
	for _, fd := range []int{-1, noTerminal} {
		var out bytes.Buffer
		u := newUI(&app{quiet: true}, &out)
		u.fd = fd
		u.start, u.last = time.Time{}, time.Time{}
		u.step("a")
		u.note("b")
		u.bytes("c", 1, 2)
		u.close()
		if out.String() != "b\n" {
			t.Errorf("--quiet says %q: expected the warning alone", out.String())
		}
	}
}
