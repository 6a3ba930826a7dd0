package batch

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"sync"
	"text/tabwriter"
)

// Report is what a batch came to: one entry per job, in the order of the file.
type Report struct {
	Schema  int    `json:"schema"`
	File    string `json:"file"`
	Runner  string `json:"runner"`
	Workers int    `json:"workers"`
	Version string `json:"version"`
	// Records is the folder of the jobs' records.
	Records  string         `json:"records"`
	Seconds  float64        `json:"seconds"`
	Counts   map[Status]int `json:"counts"`
	ExitCode int            `json:"exit_code"`
	Jobs     []*Record      `json:"jobs"`
}

// Schema is the version of the report's layout.
const Schema = 1

// Count fills in the counts and the exit code.
func (r *Report) Count() {
	r.Schema, r.Counts, r.ExitCode = Schema, map[Status]int{}, Worst(r.Jobs)
	for _, j := range r.Jobs {
		r.Counts[j.Status]++
	}
}

// statuses is the order in which counts are told.
var statuses = []Status{Done, Kept, Failed, Skipped, Interrupted, NotStarted}

// Summary is a line of counts.
func (r *Report) Summary() string {
	text := fmt.Sprintf("%d jobs", len(r.Jobs))
	if len(r.Jobs) == 1 {
		text = "1 job"
	}
	for _, s := range statuses {
		if n := r.Counts[s]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, s)
		}
	}
	return text
}

// WriteText writes a table of the jobs.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tVERB\tSTATUS\tEXIT\tSECONDS\tTRIES\t")
	for _, j := range r.Jobs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", j.Name, j.Verb, j.Status, j.exit(), j.time(), j.tries())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, j := range r.Jobs {
		if j.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", j.Name, j.Error)
		}
	}
	_, err := fmt.Fprintf(w, "%s in %.2f s; records in %s\n", r.Summary(), r.Seconds, r.Records)
	return err
}

// ran tells whether the verb was run, now or when the result was made.
func (r *Record) ran() bool { return r.Status != Skipped && r.Status != NotStarted }

func (r *Record) exit() string {
	if !r.ran() || r.Status == Interrupted {
		return "-"
	}
	return strconv.Itoa(r.ExitCode)
}

func (r *Record) time() string {
	if !r.ran() || r.Status == Kept {
		return "-"
	}
	return fmt.Sprintf("%.2f", r.Seconds)
}

func (r *Record) tries() string {
	if !r.ran() || r.Status == Kept {
		return "-"
	}
	return strconv.Itoa(len(r.Attempts) + 1)
}

//go:embed page.html
var pageSource string

// page is parsed when a page is written: other verbs need not wait for it.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(functions).Parse(pageSource))
})

var functions = template.FuncMap{
	"exit":  (*Record).exit,
	"time":  (*Record).time,
	"tries": (*Record).tries,
	"tone": func(s Status) string {
		switch s {
		case Done, Kept:
			return "good"
		case Failed:
			return "bad"
		}
		return "warn"
	},
	"result": func(r *Record) string { return string(r.Result) },
}

// WritePage writes the report as a page of HTML that loads nothing.
func (r *Report) WritePage(w io.Writer) error { return page().Execute(w, r) }
