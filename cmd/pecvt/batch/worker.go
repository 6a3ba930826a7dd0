package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Worker is what runs jobs in this process.
type Worker struct {
	// Run runs a command line and returns its exit code, what it printed, what it said,
	// and the error behind the code, or nil where that was printed.
	Run func(ctx context.Context, args []string) Outcome
	// Parts, where not nil, divides command lines.
	Parts Parts
	// Say tells of a job that begins and ends.
	Say func(text string)
	// Version is the program's.
	Version string
}

// Parts divides command lines into parts that do not depend on one another. One name
// stands for one command line of one batch.
type Parts interface {
	// Count says how many parts the command line has; fewer than two: it is run whole.
	// What has to be done before any part is done.
	Count(ctx context.Context, name string, args []string) (int, Outcome)
	// Part runs one; its Stdout is what Join needs of it.
	Part(ctx context.Context, name string, args []string, part int) Outcome
	// Join makes the command line's result of the parts' output, in their order.
	Join(ctx context.Context, name string, args []string, parts [][]byte) Outcome
}

// Outcome is what a command line came to.
type Outcome struct {
	ExitCode int
	Stdout   []byte
	Said     []string
	Error    string
	// Passing tells that the error may pass: the same command line may end well later.
	Passing bool
	// Seconds is how long it took; whoever runs it fills it in.
	Seconds float64
}

// process is the state of the process that runs jobs. A DoFn finds it here, since a
// runner makes DoFns from their serialised form.
type process struct {
	mu     sync.Mutex
	worker Worker
	ctx    context.Context // that of Serve: the batch's
	slots  *slots
	inside int // that have a slot
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
	here.worker, here.ctx, here.slots = w, ctx, &slots{free: atOnce, all: atOnce}
	return func() {
		here.mu.Lock()
		here.ctx = nil
		here.mu.Unlock()
		here.jobs.Wait()
	}
}

// enter waits for a slot; of those that wait, the lowest rank is first. The context ends
// with the batch's and with the bundle's.
func (p *process) enter(bundle context.Context, rank int) (ctx context.Context, w Worker, leave func(), err error) {
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
	if !slots.take(ctx, rank) {
		give()
		return nil, w, nil, fmt.Errorf("stopped: %w", context.Canceled)
	}
	p.count(1)
	return ctx, w, func() { p.count(-1); slots.give(); give() }, nil
}

func (p *process) count(n int) {
	p.mu.Lock()
	p.inside += n
	p.mu.Unlock()
}
