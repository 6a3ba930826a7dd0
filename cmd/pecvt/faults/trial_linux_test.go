package faults

import (
	"errors"
	"os/exec"
	"slices"
)

// row counts what came of a kind of fault on a job.
type row struct {
	job, fault                         string
	trials, midway                     int
	changed, half, unfinished, remains int
	most                               int // temporary folders after one trial
}

func (r *row) bad() bool {
	return r.changed+r.half+r.unfinished+r.remains > 0 || r.most > 1
}

// trial judges what a disturbed run left, and lets the same command run again. alive says
// that the process ended by itself and had to tidy up.
func (b *bench) trial(r *row, j *job, sources string, err error, tidy bool) {
	b.t.Helper()
	r.trials++
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	if err != nil {
		r.midway++
	}
	got := b.made(j)
	if j.says != nil && err == nil { // its result is what the next run says
		got = j.want
	}
	if got != j.want && got != j.older {
		r.half++
		b.t.Errorf("%s, %s: the target is neither as before nor whole (%q)", j.name, r.fault, got)
	}
	if err == nil && got != j.want {
		r.half++
		b.t.Errorf("%s, %s: exit code 0 without the result", j.name, r.fault)
	}
	left := b.left()
	temporary := len(left)
	if j.keeps != "" && slices.Contains(left, j.keeps) {
		temporary--
	}
	r.most = max(r.most, temporary)
	if temporary > 1 || tidy && temporary > 0 {
		b.t.Errorf("%s, %s: %v is left", j.name, r.fault, left)
		r.remains++
	}
	if got == j.want {
		b.clear(j)
	}
	if text, err := b.run(j.args...); err != nil {
		r.unfinished++
		b.t.Errorf("%s, after %s: %v\n%s", j.name, r.fault, err, text)
	} else if got := b.result(j, text); got != j.want {
		r.unfinished++
		b.t.Errorf("%s, after %s: other bytes", j.name, r.fault)
	}
	if left := b.left(); len(left) > 0 {
		r.remains++
		b.t.Errorf("%s, after %s and the next run: %v is left", j.name, r.fault, left)
	}
	if b.digest(b.sources) != sources || b.writes.Load() > 0 {
		r.changed++
		b.t.Fatalf("%s, %s: a source changed", j.name, r.fault)
	}
	b.clear(j)
}
