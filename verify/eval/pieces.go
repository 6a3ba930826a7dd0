package eval

import (
	"context"
	"fmt"
	"slices"
)

// pieceAt is what a piece runs: a sequence, or the copy probe at a distance.
type pieceAt struct {
	model    int // that runs alone, or -1: all run in lock-step
	length   int // index into Config.Lengths
	sequence int // index, or -1: the copy probe
	distance int // of the copy probe
}

// Piece is what was measured in one piece, by model of the piece. Its fields are for
// encoding/gob, which keeps every number to the last bit.
type Piece struct {
	Runs   []RunBy
	Traces []Trace // of a sequence
	Copies []Copy  // of the copy probe
}

// RunBy says what ran a model: the fields of [Model].
type RunBy struct{ Runner, Runtime, Note string }

// divide lists the pieces, in the order in which one process runs them, and counts
// their tokens.
func (e *Evaluation) divide() {
	groups := []int{-1}
	if e.source < 0 {
		groups = groups[:0]
		for k := range e.models {
			groups = append(groups, k)
		}
	}
	for _, g := range groups {
		before := 0
		for l, n := range e.c.Lengths {
			for s := range e.sequences[l] {
				if _, _, ok := e.within(g, l, s); ok {
					continue
				}
				e.pieces = append(e.pieces, pieceAt{model: g, length: l, sequence: s})
			}
			if e.probe != nil {
				for _, d := range e.probe.distances(before, n) {
					e.pieces = append(e.pieces, pieceAt{model: g, length: l, sequence: -1, distance: d})
				}
			}
			before = n
		}
	}
	for _, at := range e.pieces {
		e.total += e.tokens(at)
	}
}

// within finds the longer sequence that begins with sequence s of length l, if the models
// of a group make the same of its front: attention sees what is before it alone, so that
// the figures are there. A rotation that follows the length makes something else.
func (e *Evaluation) within(g, l, s int) (length, sequence int, ok bool) {
	short := e.sequences[l][s]
	for length = l + 1; length < len(e.c.Lengths); length++ {
		for k, long := range e.sequences[length] {
			if slices.Equal(short, long[:len(short)]) && e.alike(g, len(short), len(long)) {
				return length, k, true
			}
		}
	}
	return 0, 0, false
}

// alike tells whether all models of a group turn sequences of a and of b tokens alike. An
// error of one comes up where it runs.
func (e *Evaluation) alike(g, a, b int) bool {
	return !slices.ContainsFunc(e.group(g), func(m *Model) bool {
		same, err := m.sameSpectra(a, b)
		return err != nil || !same
	})
}

// front is the trace of a sequence's first n tokens.
func (t Trace) front(n int) Trace {
	t.NLL = t.NLL[:n-1]
	if t.KL != nil {
		t.KL = t.KL[:n-1]
	}
	if t.Top != nil {
		t.Top = t.Top[:n-1]
	}
	if t.OK != nil {
		t.OK = t.OK[:n-1]
	}
	return t
}

// complete checks the traces by model, length and sequence, and cuts those of sequences
// that longer ones begin with.
func (e *Evaluation) complete(all [][][]Trace) error {
	for l := len(e.c.Lengths) - 1; l >= 0; l-- { // longer ones first
		for k := range all {
			g := -1
			if e.source < 0 {
				g = k
			}
			for s := range all[k][l] {
				if length, sequence, ok := e.within(g, l, s); ok {
					all[k][l][s] = all[k][length][sequence].front(e.c.Lengths[l])
				}
				if len(all[k][l][s].NLL) != e.c.Lengths[l]-1 {
					return fmt.Errorf("eval: a piece of another evaluation: expected sequences of %d tokens", e.c.Lengths[l])
				}
			}
		}
	}
	return nil
}

// tokens is what a piece runs, in all its models.
func (e *Evaluation) tokens(at pieceAt) int {
	n := e.c.Lengths[at.length]
	if at.sequence < 0 {
		n = e.probe.tokens(at.distance)
	}
	return n * len(e.group(at.model))
}

// group are the models of a piece.
func (e *Evaluation) group(model int) []*Model {
	if model < 0 {
		return e.models
	}
	return e.models[model : model+1]
}

// Pieces counts the pieces: one per sequence that no longer one begins with and distance
// of the copy probe, and per model where they do not run in lock-step.
func (e *Evaluation) Pieces() int { return len(e.pieces) }

// Piece runs piece i. Errors: more positions than a table can hold, and what the
// runner says.
func (e *Evaluation) Piece(ctx context.Context, i int) (*Piece, error) {
	at := e.pieces[i]
	models := e.group(at.model)
	for _, m := range e.models {
		if !slices.Contains(models, m) {
			m.free()
		}
	}
	p := &Piece{}
	var err error
	if at.sequence < 0 {
		p.Copies, err = e.probe.run(ctx, models, at.distance, e.step(fmt.Sprintf("copying over %d", at.distance)))
	} else {
		all := e.sequences[at.length]
		what := fmt.Sprintf("length %d, sequence %d of %d", e.c.Lengths[at.length], at.sequence+1, len(all))
		if len(models) < len(e.models) {
			what = models[0].Name + ", " + what
		}
		source := e.source
		if at.model >= 0 {
			source = -1
		}
		p.Traces, err = scored(ctx, models, source, all[at.sequence], e.step(what))
	}
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		p.Runs = append(p.Runs, RunBy{m.Runner, m.Runtime, m.Note})
	}
	return p, nil
}

// Report makes the report of all pieces, in their order. Report.Seconds is left at 0.
// Errors: pieces of another evaluation, or that were run by other runners: their figures
// are no more of one kind.
func (e *Evaluation) Report(pieces []*Piece) (*Report, error) {
	if len(pieces) != len(e.pieces) {
		return nil, fmt.Errorf("eval: %d pieces: expected %d", len(pieces), len(e.pieces))
	}
	r := e.report
	all := make([][][]Trace, len(e.models)) // by model, length
	copies := make([][][]Copy, len(e.models))
	for k := range e.models {
		all[k], copies[k] = make([][]Trace, len(e.c.Lengths)), make([][]Copy, len(e.c.Lengths))
		for l := range all[k] {
			all[k][l] = make([]Trace, len(e.sequences[l]))
		}
	}
	ran := make([]*RunBy, len(e.models))
	for i, p := range pieces {
		at := e.pieces[i]
		n := len(e.group(at.model))
		if len(p.Runs) != n || at.sequence >= 0 && len(p.Traces) != n || at.sequence < 0 && len(p.Copies) != n {
			return nil, fmt.Errorf("eval: piece %d of %d is of another evaluation", i+1, len(pieces))
		}
		for j := range n {
			k := max(at.model, 0) + j
			switch by := &p.Runs[j]; {
			case ran[k] == nil:
				ran[k] = by
			case *ran[k] != *by:
				return nil, fmt.Errorf("%s: run by %s and by %s: expected one for all its sequences; name the runner, and have the same ONNX Runtime wherever pieces run", e.models[k].title(), *ran[k], *by)
			}
			if at.sequence < 0 {
				copies[k][at.length] = append(copies[k][at.length], p.Copies[j])
			} else {
				all[k][at.length][at.sequence] = p.Traces[j]
			}
		}
	}
	if err := e.complete(all); err != nil {
		return nil, err
	}
	for l, n := range e.c.Lengths {
		for k, m := range e.models {
			m.Runner, m.Runtime, m.Note = ran[k].Runner, ran[k].Runtime, ran[k].Note
			var from []Trace
			if e.source >= 0 && k != e.source {
				from = all[e.source][l]
			}
			trained := m.TrainedLength
			if e.source >= 0 {
				trained = e.models[e.source].TrainedLength
			}
			x := m.summarise(all[k][l], from, lastOf(e.c.Last, n), trained)
			x.Source, x.Copy = k == e.source, copies[k][l]
			if e.source >= 0 && k != e.source {
				share(x.Copy, copies[e.source][l])
			}
			r.Results = append(r.Results, x)
		}
	}
	for _, m := range e.models {
		if m.Runtime != "" {
			r.Runtime = m.Runtime
		}
		if m.Note != "" {
			r.Notes = append(r.Notes, m.Name+": "+m.Note)
		}
	}
	return &r, nil
}

// String names the runner for messages.
func (r RunBy) String() string {
	if r.Runtime == "" {
		return "the Go reference"
	}
	return r.Runner + " of ONNX Runtime " + r.Runtime
}
