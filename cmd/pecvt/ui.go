package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

const (
	// barAfter is how long work on files lasts before a bar is worth drawing.
	barAfter = 300 * time.Millisecond
	// stepsAfter is how long work in steps lasts before its rest is estimated.
	stepsAfter = 2 * time.Second
	// lineEvery is the pace of progress lines where stderr is no terminal.
	lineEvery = 2 * time.Second
)

// ui shows progress on stderr: a bar or a line on a terminal, which are gone
// when the work is done; plain lines now and then elsewhere; nothing with
// --quiet.
type ui struct {
	w     io.Writer
	quiet bool
	fd    int // of the terminal, or -1
	start time.Time

	mu       sync.Mutex
	progress *mpb.Progress
	bar      *mpb.Bar
	line     bool         // a step stands on the terminal's last line
	label    atomic.Value // string; mpb reads it while it draws
	last     time.Time
}

func newUI(a *app, w io.Writer) *ui {
	now := time.Now()
	u := &ui{w: w, quiet: a.quiet, fd: -1, start: now, last: now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		u.fd = int(f.Fd())
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
	if u.fd >= 0 {
		u.endBar()
		fmt.Fprintf(u.w, "\r\x1b[K%s", u.clip(text))
		u.line = true
		return
	}
	u.pace(text)
}

// steps announces a step of a number of them: done were made before it. Work
// that lasts gets a bar on a terminal, and an estimate of the rest anywhere.
func (u *ui) steps(text string, done, total int) {
	if u.quiet {
		return
	}
	spent := time.Since(u.start)
	if spent < stepsAfter || done == 0 || total <= done {
		u.step(text)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fd < 0 {
		u.pace(fmt.Sprintf("%s  (%d of about %d, %s)", text, done+1, total, rest(spent, done, total)))
		return
	}
	u.label.Store(u.clipTo(text, 36))
	if u.progress == nil {
		u.clear()
		u.progress = mpb.New(mpb.WithOutput(u.w), mpb.WithWidth(24))
		u.bar = u.progress.AddBar(int64(total), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return u.label.Load().(string) + " " })),
			mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
				return fmt.Sprintf("%d of about %d, %s", s.Current+1, s.Total, rest(time.Since(u.start), int(s.Current), int(s.Total)))
			})))
	}
	u.bar.SetTotal(int64(total), false)
	u.bar.SetCurrent(int64(done))
}

// rest is the time that the remaining steps take if they take as long as those
// before, in words.
func rest(spent time.Duration, done, total int) string {
	left := time.Duration(float64(spent) / float64(max(done, 1)) * float64(total-done))
	switch {
	case left < 10*time.Second:
		return fmt.Sprintf("about %d s left", max(int(left.Round(time.Second).Seconds()), 1))
	case left < 2*time.Minute:
		return fmt.Sprintf("about %d s left", int(left.Round(5*time.Second).Seconds()))
	default:
		return fmt.Sprintf("about %d min left", int(left.Round(time.Minute).Minutes()))
	}
}

// pace writes a line unless one was written a moment ago: in CI it tells that
// work goes on, and short work stays silent.
func (u *ui) pace(text string) {
	if now := time.Now(); now.Sub(u.last) > lineEvery {
		u.last = now
		fmt.Fprintf(u.w, "%6.1fs  %s\n", now.Sub(u.start).Seconds(), text)
	}
}

// clip shortens a line to the terminal's width, less the "^C" that an
// interrupt may add: one that wraps could not be taken back.
func (u *ui) clip(text string) string {
	width, _, err := term.GetSize(u.fd)
	if err != nil || width <= 0 {
		width = 80
	}
	return u.clipTo(text, width-4)
}

// clipTo shortens text to a number of columns.
func (u *ui) clipTo(text string, columns int) string {
	if r := []rune(text); len(r) > columns {
		return string(r[:max(columns-1, 0)]) + "…"
	}
	return text
}

// note prints a line that stays, with --quiet too: a warning is no progress.
func (u *ui) note(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clear()
	fmt.Fprintln(u.w, text)
}

// bytes reports work on files: done of total bytes.
func (u *ui) bytes(label string, done, total int64) {
	if u.quiet || total <= 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fd < 0 {
		u.pace(fmt.Sprintf("%s  %s of %s", label, bytesText(done), bytesText(total)))
		return
	}
	u.label.Store(label)
	if u.progress == nil {
		if done >= total || time.Since(u.start) < barAfter {
			return
		}
		u.clear()
		u.progress = mpb.New(mpb.WithOutput(u.w), mpb.WithWidth(40))
		u.bar = u.progress.AddBar(total, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return u.label.Load().(string) + " " })),
			mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	}
	u.bar.SetCurrent(done)
}

// close takes the line or the bar away; it may be called twice.
func (u *ui) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clear()
}

func (u *ui) clear() {
	u.endBar()
	if u.line {
		fmt.Fprint(u.w, "\r\x1b[K")
		u.line = false
	}
}

func (u *ui) endBar() {
	if u.progress == nil {
		return
	}
	u.bar.Abort(true) // does nothing to a complete bar, which has gone by itself
	u.progress.Wait()
	u.progress, u.bar = nil, nil
}
