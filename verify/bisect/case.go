package bisect

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/run"
)

// Case is what there is to look into: a graph, what it should compute, who runs
// it, and which checks failed.
type Case struct {
	// Name is the model's, Dir its folder.
	Name, Dir string
	Info      *run.GraphInfo
	// Model is the checkpoint at the graph's length, Store has its tensors, and
	// Ref is the forward pass of it.
	Model *family.Model
	Store store.Store
	Ref   *run.Ref
	// Runners are those of the graph; one that shows no values is passed over.
	Runners []run.Runner
	// Input is the prompt that is walked through where Failures is empty; without
	// rows the reference has no answer, and nothing can be looked into.
	Input    run.Input
	Failures []Failure
	// Failed says that a check failed, one of Failures or another.
	Failed bool
	// Extract, where not empty, is the folder to write the node found to as a
	// repro, Force in place of an older one.
	Extract string
	Force   bool
	// MaxMem bounds the bytes of values held at a time; 0 is 1 GiB.
	MaxMem int64
	// Step, where not nil, is told of every step as it starts.
	Step func(format string, args ...any)
}

// Failure is a failed check of a graph's answers, as it can be made again.
type Failure struct {
	Check  string
	Runner run.Tapper
	Ask    run.Question
	// Limit is what the check was judged by.
	Limit float64
}

// search is a bisection of a case under way.
type search struct {
	ctx      context.Context
	name     string
	dir      string
	info     *run.GraphInfo
	model    *family.Model
	ckpt     store.Store
	ref      *run.Ref
	others   []run.Runner
	in       run.Input
	failures []Failure
	failed   bool
	extract  string
	force    bool
	maxMem   int64
	step     func(format string, args ...any)

	parts map[string]family.Part // by path, once asked for
}

func newSearch(ctx context.Context, c *Case) *search {
	s := &search{ctx: ctx, name: c.Name, dir: c.Dir, info: c.Info, model: c.Model, ckpt: c.Store, ref: c.Ref, others: c.Runners, in: c.Input,
		failures: c.Failures, failed: c.Failed, extract: c.Extract, force: c.Force, maxMem: c.MaxMem, step: c.Step}
	if s.maxMem == 0 {
		s.maxMem = defaultMaxMem
	}
	if s.step == nil {
		s.step = func(string, ...any) {}
	}
	return s
}
