package conversion

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
)

// Case is a conversion: what came of it, and what it was made of.
type Case struct {
	// Dir is the result's folder, with its pecvt.json; Result the model as it
	// declares it, ResultStore its tensors.
	Dir         string
	Result      *family.Model
	ResultStore store.Store
	Source      *family.Model
	SourceStore store.Store
	// IDs are tokens that both run, at positions below MaxLength.
	IDs       []int64
	MaxLength int
	// Step, where not nil, is told of every step as it starts.
	Step func(format string, args ...any)
}

// conversion is a case that is being checked.
type conversion struct {
	ctx              context.Context
	dir              string
	loaded, source   *family.Model
	ckpt, sourceCkpt store.Store
	ids              []int64
	maxLength        int
	step             func(format string, args ...any)
}

func (k *Case) conversion(ctx context.Context) *conversion {
	s := &conversion{ctx: ctx, dir: k.Dir, loaded: k.Result, source: k.Source, ckpt: k.ResultStore, sourceCkpt: k.SourceStore,
		ids: k.IDs, maxLength: k.MaxLength, step: k.Step}
	if s.step == nil {
		s.step = func(string, ...any) {}
	}
	return s
}
