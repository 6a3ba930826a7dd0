package batch

import (
	"context"
	"encoding/json"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
)

func init() {
	register.DoFn4x1[context.Context, string, func(*string) bool, func(string), error]((*prepare)(nil))
	register.DoFn3x1[context.Context, string, func(string, string), error]((*work)(nil))
	register.DoFn4x1[context.Context, string, func(*string) bool, func(string), error]((*join)(nil))
	register.Iter1[string]()
	register.Emitter1[string]()
	register.Emitter2[string, string]()
}

// Batch is what every step knows of the batch.
type Batch struct {
	// Folder holds a record per job, Run is this batch's name in them.
	Folder, Run string
	// Resume keeps results of verbs that write no target, too.
	Resume bool
	// Dir is where the batch was begun, Version the program's.
	Dir, Version string
}

// end is how a job ended, for those that wait for it.
type end struct {
	Name string
	Well bool
}

// task is what one worker does at a time: a whole job, or a part of one.
type task struct {
	Record *Record
	Job    Job
	// Part of Of, counted from 0; Of is 0 for a whole job.
	Part, Of int
	// Lane is the task's place among all of its level.
	Lane int
	// Ended: there is nothing to do.
	Ended bool
}

// done is what became of a task.
type done struct {
	task
	// Outcome is that of a part, Attempts what went before it.
	Outcome  Outcome
	Attempts []Attempt
	// Well is how a job ended that is not divided.
	Well bool
}

// prepare is the DoFn before the work: an element is a job, and what it emits are tasks.
type prepare struct{ Batch }

// ProcessElement decides what is to be done for a job. Like that of the other steps it
// fails only where the batch stops: a job that fails is a result.
func (s *prepare) ProcessElement(ctx context.Context, element string, before func(*string) bool, emit func(string)) error {
	var j Job
	if err := json.Unmarshal([]byte(element), &j); err != nil {
		return err
	}
	ended := map[string]bool{}
	for text := ""; before(&text); {
		var e end
		if text == "" { // there is always one, so that the first level has a side input
			continue
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return err
		}
		ended[e.Name] = e.Well
	}
	tasks, err := here.prepare(ctx, s.Batch, j, ended)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		emit(string(text))
	}
	return nil
}

// work is the DoFn that does the tasks of one lane.
type work struct {
	Batch
	Lane, Lanes int
}

// ProcessElement does a task.
func (s *work) ProcessElement(ctx context.Context, element string, emit func(name, done string)) error {
	var t task
	if err := json.Unmarshal([]byte(element), &t); err != nil {
		return err
	}
	if t.Lane%s.Lanes != s.Lane {
		return nil
	}
	d, err := here.work(ctx, s.Batch, t)
	if err != nil {
		return err
	}
	text, err := json.Marshal(d)
	emit(t.Job.Name, string(text))
	return err
}

// join is the DoFn behind the work: an element is all that was done for a job, and what
// it emits is how the job ended.
type join struct{ Batch }

// ProcessElement brings a job to its end.
func (s *join) ProcessElement(ctx context.Context, name string, values func(*string) bool, emit func(string)) error {
	var all []*done
	for text := ""; values(&text); {
		d := &done{}
		if err := json.Unmarshal([]byte(text), d); err != nil {
			return err
		}
		all = append(all, d)
	}
	well, err := here.join(ctx, s.Batch, all)
	if err != nil {
		return err
	}
	text, err := json.Marshal(end{name, well})
	emit(string(text))
	return err
}
