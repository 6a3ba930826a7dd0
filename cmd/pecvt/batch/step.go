package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
)

func init() {
	register.DoFn4x1[context.Context, string, func(*string) bool, func(string), error]((*step)(nil))
	register.Iter1[string]()
	register.Emitter1[string]()
}

// step is the DoFn: an element is a job, and what it emits is how the job ended.
type step struct {
	Folder, Run string
	Resume      bool
}

// end is how a job ended, for those that wait for it.
type end struct {
	Name string
	Well bool
}

// ProcessElement runs a job. It fails only where the batch stops: a job that fails is
// a result.
func (s *step) ProcessElement(ctx context.Context, element string, before func(*string) bool, emit func(string)) error {
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
	r, err := here.job(ctx, s, j, ended)
	if err != nil {
		return err
	}
	text, err := json.Marshal(end{j.Name, r.wentWell()})
	emit(string(text))
	return err
}

// Worker is what runs jobs in this process.
type Worker struct {
	// Run runs a command line and returns its exit code, what it printed, what it said,
	// and the error behind the code, or nil where that was printed.
	Run func(ctx context.Context, args []string) Outcome
	// Say tells of a job that begins and ends.
	Say func(text string)
	// Version is the program's.
	Version string
}

// Outcome is what a command line came to.
type Outcome struct {
	ExitCode int
	Stdout   []byte
	Said     []string
	Error    string
	// Passing tells that the error may pass: the same command line may end well later.
	Passing bool
}

// process is the state of the process that runs jobs. A DoFn finds it here, since a
// runner makes DoFns from their serialised form.
type process struct {
	mu     sync.Mutex
	worker Worker
	ctx    context.Context // that of Serve: the batch's
	slots  chan struct{}
	jobs   sync.WaitGroup
}

var here process

// errStopped is the error of jobs that come after the end.
var errStopped = errors.New("the batch has ended")

// Serve takes jobs from now on, at most so many at a time, until ctx ends. close waits
// for those that run.
func Serve(ctx context.Context, w Worker, atOnce int) (close func()) {
	here.mu.Lock()
	defer here.mu.Unlock()
	here.worker, here.ctx, here.slots = w, ctx, make(chan struct{}, atOnce)
	return func() {
		here.mu.Lock()
		here.ctx = nil
		here.mu.Unlock()
		here.jobs.Wait()
	}
}

// enter waits for a slot. The context ends with the batch's and with the bundle's.
func (p *process) enter(bundle context.Context) (ctx context.Context, w Worker, leave func(), err error) {
	p.mu.Lock()
	own, slots, w := p.ctx, p.slots, p.worker
	if own == nil {
		p.mu.Unlock()
		return nil, w, nil, errStopped
	}
	p.jobs.Add(1)
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(bundle)
	stop := context.AfterFunc(own, cancel)
	give := func() { stop(); cancel(); p.jobs.Done() }
	select {
	case slots <- struct{}{}:
		if ctx.Err() == nil {
			return ctx, w, func() { <-slots; give() }, nil
		}
		<-slots
	case <-ctx.Done():
	}
	give()
	return nil, w, nil, fmt.Errorf("stopped: %w", context.Canceled)
}
