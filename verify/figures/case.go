package figures

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/run"
)

// Case is what figures are of: a model and its graph, beside what the model was
// converted from.
type Case struct {
	// Model is the checkpoint at the graph's length, Store has its tensors, and
	// Ref is the forward pass of it.
	Model *family.Model
	Store store.Store
	Ref   *run.Ref
	// Source and SourceStore are what it was converted from, nil where that is not
	// known.
	Source      *family.Model
	SourceStore store.Store
	// Info is the graph, Runners run it, and Input is the prompt that errors and
	// scores are measured on; without rows there are none.
	Info    *run.GraphInfo
	Runners []run.Runner
	Input   run.Input
	// Step, where not nil, is told of every step as it starts.
	Step func(format string, args ...any)
}

// maker makes the figures of a case.
type maker struct {
	ctx              context.Context
	model, source    *family.Model
	ckpt, sourceCkpt store.Store
	ref              *run.Ref
	info             *run.GraphInfo
	others           []run.Runner
	in               run.Input
	step             func(format string, args ...any)
}

func (f *Case) maker(ctx context.Context) *maker {
	s := &maker{ctx: ctx, model: f.Model, source: f.Source, ckpt: f.Store, sourceCkpt: f.SourceStore, ref: f.Ref, info: f.Info, others: f.Runners, in: f.Input, step: f.Step}
	if s.step == nil {
		s.step = func(string, ...any) {}
	}
	return s
}
