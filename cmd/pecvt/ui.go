package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// ui shows progress on stderr: a bar on a terminal, plain lines elsewhere,
// nothing with --quiet.
type ui struct {
	w        io.Writer
	quiet    bool
	terminal bool
	start    time.Time

	mu       sync.Mutex
	progress *mpb.Progress
	bar      *mpb.Bar
	label    string
	last     time.Time
}

func newUI(a *app, w io.Writer) *ui {
	now := time.Now()
	u := &ui{w: w, quiet: a.quiet, start: now, last: now}
	if f, ok := w.(*os.File); ok {
		u.terminal = term.IsTerminal(int(f.Fd()))
	}
	return u
}

// step announces a step. On a terminal it replaces the line before it.
func (u *ui) step(text string) {
	if u.quiet {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.terminal {
		fmt.Fprintf(u.w, "\r\x1b[K%s", text)
		u.label = text
		return
	}
	// In CI a line now and then tells that work goes on; short work stays silent.
	if now := time.Now(); now.Sub(u.last) > 2*time.Second {
		u.last = now
		fmt.Fprintf(u.w, "%6.1fs  %s\n", now.Sub(u.start).Seconds(), text)
	}
}

// note prints a line that must not get lost among the steps.
func (u *ui) note(text string) {
	if u.quiet {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.terminal {
		fmt.Fprint(u.w, "\r\x1b[K")
	}
	fmt.Fprintln(u.w, text)
}

// bytes reports work on files: done of total bytes.
func (u *ui) bytes(label string, done, total int64) {
	if u.quiet || total <= 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.terminal {
		if u.progress == nil {
			u.progress = mpb.New(mpb.WithOutput(u.w), mpb.WithWidth(40))
			u.bar = u.progress.AddBar(total,
				mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return u.label + " " })),
				mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
		}
		u.label = label
		u.bar.SetCurrent(done)
		return
	}
	if now := time.Now(); now.Sub(u.last) > 2*time.Second {
		u.last = now
		fmt.Fprintf(u.w, "%6.1fs  %s  %s of %s\n", time.Since(u.start).Seconds(), label, bytesText(done), bytesText(total))
	}
}

// close ends the line or the bar; it may be called twice.
func (u *ui) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.progress != nil {
		if !u.bar.Completed() {
			u.bar.Abort(false)
		}
		u.progress.Wait()
		u.progress, u.bar = nil, nil
	} else if u.terminal && u.label != "" {
		fmt.Fprint(u.w, "\r\x1b[K")
	}
	u.label = ""
}
