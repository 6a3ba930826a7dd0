package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// waits are those before a job is tried again whose failure may pass.
var waits = []time.Duration{500 * time.Millisecond, 2 * time.Second}

// interruptedCode is the exit code of a verb that was stopped.
const interruptedCode = 130

// job brings a job to its end and writes its record, before it begins and after.
func (p *process) job(bundle context.Context, s *step, j Job, ended map[string]bool) (*Record, error) {
	ctx, w, leave, err := p.enter(bundle)
	if err != nil {
		return nil, err
	}
	defer leave()
	older, err := readRecord(s.Folder, j.Name)
	if err != nil {
		return nil, err
	}
	if older != nil && older.Run == s.Run && older.Status != running {
		return older, nil // a runner may hand out an element again
	}
	r := &Record{Name: j.Name, Verb: j.Verb, Arguments: j.Arguments(), After: j.After, Status: running, Started: time.Now().UTC(), Run: s.Run, Version: w.Version}
	for _, name := range j.After {
		if !ended[name] {
			r.Status, r.Error = Skipped, fmt.Sprintf("it waits for %q, which did not end well", name)
			w.Say(fmt.Sprintf("%s: skipped: %s", j.Name, r.Error))
			return r, writeRecord(s.Folder, r)
		}
	}
	r.Inputs = fingerprint(j.reads()...)
	if r.keeps(older, j, s.Resume) {
		r.Status, r.Result, r.Said, r.Seconds = Kept, older.Result, older.Said, older.Seconds
		r.Target = target(j)
		w.Say(j.Name + ": kept")
		return r, writeRecord(s.Folder, r)
	}
	if older != nil && older.Status == running && j.Out != "" && older.matches(r) {
		r.Started = older.Started // a target may be there that is this job's, made before a kill
	}
	if err := writeRecord(s.Folder, r); err != nil {
		return nil, err
	}
	w.Say(j.Name + ": started")
	r.run(ctx, w)
	if r.Status == Done {
		r.Target = target(j)
	}
	if err := writeRecord(s.Folder, r); err != nil {
		return nil, err
	}
	w.Say(r.line())
	if r.Status == Interrupted {
		return nil, context.Canceled
	}
	return r, nil
}

// run tries the command line until it ends well or in a way that does not pass.
func (r *Record) run(ctx context.Context, w Worker) {
	for try := 0; ; try++ {
		begin := time.Now()
		o := w.Run(ctx, r.Arguments)
		seconds := time.Since(begin).Seconds()
		r.ExitCode, r.Error, r.Said, r.Result, r.Seconds = o.ExitCode, o.Error, o.Said, nil, seconds
		if json.Valid(o.Stdout) {
			r.Result = o.Stdout
		}
		switch {
		case o.ExitCode == 0:
			r.Status = Done
			return
		case ctx.Err() != nil || o.ExitCode == interruptedCode:
			r.Status = Interrupted
			return
		case !o.Passing || try == len(waits):
			r.Status = Failed
			return
		}
		r.Attempts = append(r.Attempts, Attempt{ExitCode: o.ExitCode, Error: o.Error, Seconds: seconds})
		w.Say(fmt.Sprintf("%s: %s (tried again in %s)", r.Name, o.Error, waits[try]))
		select {
		case <-time.After(waits[try]):
		case <-ctx.Done():
			r.Status = Interrupted
			return
		}
	}
}

// line says how the job ended.
func (r *Record) line() string {
	switch {
	case r.Status == Done:
		return fmt.Sprintf("%s: done in %.2f s", r.Name, r.Seconds)
	case r.Error == "":
		return fmt.Sprintf("%s: %s, exit code %d", r.Name, r.Status, r.ExitCode)
	default:
		return fmt.Sprintf("%s: %s, exit code %d: %s", r.Name, r.Status, r.ExitCode, r.Error)
	}
}
