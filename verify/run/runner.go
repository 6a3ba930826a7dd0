package run

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// Input is one call of a model: tokens of B rows, all S long.
type Input struct {
	// IDs are token ids, (B, S).
	IDs [][]int64
	// Positions are the tokens' positions, (B, S).
	Positions [][]int64
	// Mask is 1 for a token and 0 for padding, over past and present: (B, past + S).
	Mask [][]int64
}

// Batch returns the input's B and S.
func (in Input) Batch() (b, s int) { return len(in.IDs), len(in.IDs[0]) }

// State is what a runner keeps from one call to the next, its own and no other's;
// nil is an empty past. Who has it can hand it back, and nothing else.
type State any

// Runner answers for a model. Runners are not safe for concurrent use. What one
// can do beside it says in the interfaces of capability.go.
type Runner interface {
	// Name is what a report calls it: "ref", "interp", "ort-cpu", "ort-cpu+ops".
	Name() string
	// Arithmetic is what it computes in, from which its limits follow.
	Arithmetic() report.Arithmetic
	// Run computes the logits of every position and the cache after them.
	Run(ctx context.Context, in Input, past State) (*report.Logits, State, error)
	// Positions reports whether the runner takes explicit positions; one that
	// does not counts them from the mask.
	Positions() bool
	Close() error
}

// The names of the runners that are part of pecvt. One of ONNX Runtime is
// called after its provider.
const (
	RefName    = "ref"
	InterpName = "interp"
	ortPrefix  = "ort-"
)

// ORTName is the name of the runner of ONNX Runtime on a provider.
func ORTName(provider string) string { return ortPrefix + provider }

// ORTNameWith is the name of a runner of ONNX Runtime with these options: one with
// a library of operators ends in "+ops".
func ORTNameWith(o ort.Options) string {
	name := ORTName(o.Provider)
	if o.OpsLibrary != "" {
		name += "+ops"
	}
	return name
}

// Question is what any runner can be asked: the logits of some input, in one call
// or in pieces.
type Question func(Runner) (*report.Logits, error)

// Prefill asks for an input in one call.
func Prefill(ctx context.Context, in Input) Question {
	return func(r Runner) (*report.Logits, error) {
		l, _, err := r.Run(ctx, in, nil)
		return l, err
	}
}

// Prompt makes an input without padding whose first position is start.
func Prompt(ids [][]int64, start int64) Input {
	in := Input{IDs: ids}
	for _, row := range ids {
		pos, mask := make([]int64, len(row)), make([]int64, len(row))
		for s := range row {
			pos[s], mask[s] = start+int64(s), 1
		}
		in.Positions = append(in.Positions, pos)
		in.Mask = append(in.Mask, mask)
	}
	return in
}

// Slice takes columns [from, to) of an input whose past are the columns before.
func (in Input) Slice(from, to int) Input {
	var out Input
	for b := range in.IDs {
		out.IDs = append(out.IDs, in.IDs[b][from:to])
		out.Positions = append(out.Positions, in.Positions[b][from:to])
		out.Mask = append(out.Mask, in.Mask[b][:to])
	}
	return out
}

// InChunks runs an input piece by piece through the cache and joins the
// answers. Pieces end at the given columns; the last must be the input's end.
func InChunks(ctx context.Context, r Runner, in Input, ends []int) (*report.Logits, error) {
	b, s := in.Batch()
	var all *report.Logits
	var past State
	from := 0
	for _, to := range ends {
		part, next, err := r.Run(ctx, in.Slice(from, to), past)
		if err != nil {
			return nil, fmt.Errorf("tokens %d to %d: %w", from, to-1, err)
		}
		if all == nil {
			all = &report.Logits{B: b, S: s, V: part.V, Data: make([]float64, b*s*part.V)}
		}
		if part.B != b || part.S != to-from || part.V != all.V {
			return nil, fmt.Errorf("tokens %d to %d: logits have shape [%d %d %d]", from, to-1, part.B, part.S, part.V)
		}
		for row := range b {
			for i := range part.S {
				copy(all.At(row, from+i), part.At(row, i))
			}
		}
		past, from = next, to
	}
	return all, nil
}

// RowsInChunks does so with each row alone.
func RowsInChunks(ctx context.Context, r Runner, in Input, ends []int) (*report.Logits, error) {
	all := &report.Logits{}
	for row := range in.IDs {
		one := Input{IDs: in.IDs[row : row+1], Positions: in.Positions[row : row+1], Mask: in.Mask[row : row+1]}
		l, err := InChunks(ctx, r, one, ends)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		all.B, all.S, all.V, all.Data = all.B+1, l.S, l.V, append(all.Data, l.Data...)
	}
	return all, nil
}
