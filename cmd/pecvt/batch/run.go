package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// waits are those before a job is tried again whose failure may pass.
var waits = []time.Duration{500 * time.Millisecond, 2 * time.Second}

// interruptedCode is the exit code of a verb that was stopped.
const interruptedCode = 130

// prepare decides what is to be done for a job: nothing, where it is skipped, kept or
// was ended before, else the whole job or its parts.
func (p *process) prepare(bundle context.Context, b Batch, j Job, ended map[string]bool) ([]task, error) {
	ctx, w, leave, err := p.enter(bundle, first)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := p.settle(b, w); err != nil {
		return nil, err
	}
	older, err := readRecord(b.Folder, j.Name)
	if err != nil {
		return nil, err
	}
	if older != nil && older.Run == b.Run && older.Status != running {
		return []task{{Record: older, Job: j, Ended: true}}, nil // a runner may hand out an element again
	}
	r := &Record{Name: j.Name, Verb: j.Verb, Arguments: j.Arguments(), After: j.After, Status: running, Started: time.Now().UTC(), Run: b.Run, Version: w.Version}
	for _, name := range j.After {
		if !ended[name] {
			r.Status, r.Error = Skipped, fmt.Sprintf("it waits for %q, which did not end well", name)
			w.Say(fmt.Sprintf("%s: skipped: %s", j.Name, r.Error))
			return []task{{Record: r, Job: j, Ended: true}}, writeRecord(b.Folder, r)
		}
	}
	r.Inputs = fingerprint(ctx, j.reads()...)
	if r.keeps(ctx, older, j, b.Resume) {
		r.Status, r.Result, r.Said, r.Seconds, r.Parts = Kept, older.Result, older.Said, older.Seconds, older.Parts
		r.Target = target(ctx, j)
		w.Say(j.Name + ": kept")
		return []task{{Record: r, Job: j, Ended: true}}, errors.Join(writeRecord(b.Folder, r), dropParts(b.Folder, j.Name))
	}
	if older != nil && older.Status == running && j.Out != "" && older.matches(r) {
		r.Started = older.Started // a target may be there that is this job's, made before a kill
	}
	whole := []task{{Record: r, Job: j, Lane: j.At}}
	if w.Parts == nil {
		return whole, nil
	}
	parts := 0
	o, attempts, interrupted := tries(ctx, w, j.Name, func() (o Outcome) {
		parts, o = w.Parts.Count(ctx, r.part(), r.Arguments)
		return o
	})
	switch r.Attempts = attempts; {
	case interrupted:
		return nil, context.Canceled
	case o.ExitCode != 0:
		r.ends(o, false)
		w.Say(r.line())
		return []task{{Record: r, Job: j, Ended: true}}, writeRecord(b.Folder, r)
	case parts < 2:
		return whole, nil
	}
	r.Parts, r.Said = parts, o.Said
	w.Say(fmt.Sprintf("%s: started, %d parts", j.Name, parts))
	var list []task
	for i := range parts {
		list = append(list, task{Record: r, Job: j, Part: i, Of: parts, Lane: j.At + i})
	}
	return list, writeRecord(b.Folder, r)
}

// part names the record's command line for [Parts].
func (r *Record) part() string { return r.Run + " " + r.Name }

// work does a task. A whole job's record is written before it begins and after.
func (p *process) work(bundle context.Context, b Batch, t task) (*done, error) {
	r := t.Record
	if t.Ended {
		return &done{task: t, Well: r.wentWell()}, nil
	}
	ctx, w, leave, err := p.enter(bundle, t.Lane)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := p.settle(b, w); err != nil {
		return nil, err
	}
	d := &done{task: t}
	if t.Of > 0 {
		if err := d.part(ctx, w, b); err != nil {
			return nil, err
		}
		d.Record = nil // the first part has it
		if t.Part == 0 {
			d.Record = r
		}
		return d, nil
	}
	older, err := readRecord(b.Folder, t.Job.Name)
	if err != nil {
		return nil, err
	}
	if older != nil && older.Run == b.Run && older.Status != running {
		return &done{task: t, Well: older.wentWell()}, nil
	}
	if err := writeRecord(b.Folder, r); err != nil {
		return nil, err
	}
	w.Say(r.Name + ": started")
	if err := p.finish(ctx, w, b, r, t.Job, func() Outcome { return w.Run(ctx, r.Arguments) }); err != nil {
		return nil, err
	}
	d.Well = r.wentWell()
	return d, nil
}

// part runs a part, unless an earlier run has done it.
func (d *done) part(ctx context.Context, w Worker, b Batch) (err error) {
	what := fmt.Sprintf("%s: part %d of %d", d.Job.Name, d.Part+1, d.Of)
	var stored, interrupted bool
	if d.Outcome, stored = readPart(b.Folder, d.task); stored {
		w.Say(what + ": kept")
		return nil
	}
	begin, r := time.Now(), d.Record
	d.Outcome, d.Attempts, interrupted = tries(ctx, w, what, func() Outcome { return w.Parts.Part(ctx, r.part(), r.Arguments, d.Part) })
	if interrupted {
		return context.Canceled
	}
	if d.Outcome.ExitCode != 0 {
		return nil
	}
	if err := writePart(b.Folder, d.task, d.Outcome); err != nil {
		return err
	}
	w.Say(fmt.Sprintf("%s: done in %.2f s", what, time.Since(begin).Seconds()))
	return nil
}

// join brings a job to its end whose tasks were done. A runner may have done one twice.
func (p *process) join(bundle context.Context, b Batch, all []*done) (well bool, err error) {
	if all[0].Of == 0 {
		return all[0].Well, nil
	}
	parts := make([]*done, all[0].Of)
	for _, d := range all {
		parts[d.Part] = d
	}
	if i := slices.Index(parts, nil); i >= 0 {
		return false, fmt.Errorf("job %s: the runner lost part %d of %d", all[0].Job.Name, i+1, len(parts))
	}
	ctx, w, leave, err := p.enter(bundle, first)
	if err != nil {
		return false, err
	}
	defer leave()
	if err := p.settle(b, w); err != nil {
		return false, err
	}
	r, j := parts[0].Record, parts[0].Job
	if older, err := readRecord(b.Folder, j.Name); err != nil || older != nil && older.Run == b.Run && older.Status != running {
		return err == nil && older.wentWell(), err
	}
	var data [][]byte
	var failed *done
	for i, d := range parts {
		data = append(data, d.Outcome.Stdout)
		r.Attempts = append(r.Attempts, d.Attempts...)
		for _, line := range d.Outcome.Said {
			if !slices.Contains(r.Said, line) {
				r.Said = append(r.Said, line)
			}
		}
		if failed == nil && d.Outcome.ExitCode != 0 {
			failed = d
			failed.Outcome.Error = fmt.Sprintf("part %d of %d: %s", i+1, len(parts), d.Outcome.Error)
		}
	}
	err = p.finish(ctx, w, b, r, j, func() Outcome {
		if failed != nil {
			o := failed.Outcome
			o.Stdout, o.Passing = nil, false // it was tried
			return o
		}
		return w.Parts.Join(ctx, r.part(), r.Arguments, data)
	})
	return r.wentWell(), err
}

// finish runs what a job ends with and writes its record.
func (p *process) finish(ctx context.Context, w Worker, b Batch, r *Record, j Job, run func() Outcome) error {
	o, attempts, interrupted := tries(ctx, w, r.Name, run)
	said := r.Said
	r.Attempts = append(r.Attempts, attempts...)
	r.ends(o, interrupted)
	for _, line := range said {
		if !slices.Contains(r.Said, line) {
			r.Said = append(r.Said, line)
		}
	}
	if r.Status == Done {
		r.Target = target(ctx, j)
	}
	if err := writeRecord(b.Folder, r); err != nil {
		return err
	}
	w.Say(r.line())
	if r.Status == Interrupted {
		return context.Canceled
	}
	if r.Status == Done {
		return dropParts(b.Folder, r.Name)
	}
	return nil
}

// ends fills in how a job ended.
func (r *Record) ends(o Outcome, interrupted bool) {
	r.Status, r.ExitCode, r.Error, r.Said, r.Result, r.Seconds = Failed, o.ExitCode, o.Error, o.Said, nil, o.Seconds
	if json.Valid(o.Stdout) {
		r.Result = o.Stdout
	}
	switch {
	case o.ExitCode == 0:
		r.Status = Done
	case interrupted:
		r.Status = Interrupted
	}
	if r.Parts > 0 {
		r.Seconds = time.Since(r.Started).Seconds()
	}
}

// tries runs something until it ends well or in a way that does not pass.
func tries(ctx context.Context, w Worker, name string, run func() Outcome) (o Outcome, before []Attempt, interrupted bool) {
	for try := 0; ; try++ {
		begin := time.Now()
		o = run()
		o.Seconds = time.Since(begin).Seconds()
		switch {
		case o.ExitCode == 0:
			return o, before, false
		case ctx.Err() != nil || o.ExitCode == interruptedCode:
			return o, before, true
		case !o.Passing || try == len(waits):
			return o, before, false
		}
		before = append(before, Attempt{ExitCode: o.ExitCode, Error: o.Error, Seconds: o.Seconds})
		w.Say(fmt.Sprintf("%s: %s (tried again in %s)", name, o.Error, waits[try]))
		select {
		case <-time.After(waits[try]):
		case <-ctx.Done():
			return o, before, true
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
