package batch

import (
	"encoding/json"
	"strings"
	"time"
)

// Job is one command line of the file of jobs.
type Job struct {
	Name string `json:"name"`
	Verb string `json:"verb"`
	// Models are the verb's arguments, Out its target or "".
	Models []string `json:"models"`
	Out    string   `json:"out,omitempty"`
	// Flags are the options as the command line has them, --name=value each, in the
	// order of their names; values of a list keep their order.
	Flags []string `json:"flags"`
	// After names the jobs that this one waits for: those that the file says, and those
	// that write what it reads.
	After []string `json:"after,omitempty"`
	// At is the job's place in its level, which [Levels] fills in.
	At int `json:"at,omitempty"`
	// Line is the job's first in the file.
	Line int `json:"-"`
}

// reads are the models and the options' values, any of which may be the name of a file.
func (j Job) reads() []string {
	out := append([]string(nil), j.Models...)
	for _, f := range j.Flags {
		if _, value, found := strings.Cut(f, "="); found {
			out = append(out, value)
		}
	}
	return out
}

// Arguments is the command line without the program's name: JSON, and no progress.
func (j Job) Arguments() []string {
	args := append([]string{j.Verb}, j.Flags...)
	if j.Out != "" {
		args = append(args, "--output="+j.Out)
	}
	return append(append(args, "--json", "--quiet", "--"), j.Models...)
}

// Status is what became of a job.
type Status string

// What may become of a job.
const (
	Done        Status = "done"        // the verb ended with exit code 0
	Kept        Status = "kept"        // its result was there, made by the same command line from the same files
	Failed      Status = "failed"      // the verb ended with another exit code
	Skipped     Status = "skipped"     // a job that it waits for did not end well
	Interrupted Status = "interrupted" // stopped while it ran
	NotStarted  Status = "not started" // the batch ended before
	running     Status = "running"
)

// Attempt is one run of a job's command line that did not end well.
type Attempt struct {
	ExitCode int     `json:"exit_code"`
	Error    string  `json:"error"`
	Seconds  float64 `json:"seconds"`
}

// Record is what became of a job, as its file in the folder of records has it.
type Record struct {
	Name      string   `json:"name"`
	Verb      string   `json:"verb"`
	Arguments []string `json:"arguments"`
	After     []string `json:"after,omitempty"`
	Status    Status   `json:"status"`
	ExitCode  int      `json:"exit_code"`
	// Error is what the verb said when it failed, or which job a skipped one waited for.
	Error string `json:"error,omitempty"`
	// Attempts are the runs before the last that failed in a way that may pass.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Parts is how many the job was divided into, 0 where it was run whole.
	Parts int `json:"parts,omitempty"`
	// Said are the lines of the verb's stderr: warnings.
	Said    []string  `json:"said,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Seconds float64   `json:"seconds"`
	// Result is what the verb prints with --json.
	Result json.RawMessage `json:"result,omitempty"`

	// Run is the batch that wrote the record, Version the program's.
	Run     string `json:"run"`
	Version string `json:"version"`
	// Inputs and Target say which files were read and written: a hash of names, sizes
	// and times.
	Inputs string `json:"inputs,omitempty"`
	Target string `json:"target,omitempty"`
}

// wentWell tells whether what waits for the job can go on.
func (r *Record) wentWell() bool { return r.Status == Done || r.Status == Kept }
