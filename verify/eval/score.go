package eval

import (
	"context"
	"fmt"
)

// ScoreOptions choose what [Model.Score] measures. The zero value measures the
// perplexity.
type ScoreOptions struct {
	// Source, where not nil, is what KL, top-1 agreement and ratios are taken
	// from. One opened with Options.Remember keeps its logits for the next call.
	Source *Model
	// Last is k of the last-k perplexity; 0 is 512, and never more than T/4.
	Last int
	// Progress, where not nil, is told of the tokens that have run in all models.
	Progress func(done, total int)
}

const defaultLast = 512

// lastOf is k for sequences of n tokens.
func lastOf(last, n int) int {
	if last == 0 {
		last = defaultLast
	}
	return max(1, min(last, n/4))
}

// Score measures the model on sequences of one length T >= 2. Errors: ids that
// are no such sequences or not of the vocabulary, a source with another
// vocabulary, more positions than a table can hold, and what the runner says.
func (m *Model) Score(ctx context.Context, ids [][]int64, o ScoreOptions) (*Result, error) {
	if err := m.check(ids); err != nil {
		return nil, err
	}
	models, source := []*Model{m}, -1
	if o.Source != nil {
		if err := sameVocabulary(o.Source, m); err != nil {
			return nil, err
		}
		models, source = []*Model{o.Source, m}, 0
	}
	total, done := len(models)*len(ids)*len(ids[0]), 0
	all, err := scoreAll(ctx, models, source, ids, func(n int) {
		done += n
		if o.Progress != nil {
			o.Progress(done, total)
		}
	})
	if err != nil {
		return nil, err
	}
	var from []Trace
	if source >= 0 {
		from = all[source]
	}
	return m.summarise(all[len(all)-1], from, lastOf(o.Last, len(ids[0])), models[0].TrainedLength), nil
}

// scoreAll returns traces by model and sequence.
func scoreAll(ctx context.Context, models []*Model, source int, ids [][]int64, progress func(tokens int)) ([][]Trace, error) {
	all := make([][]Trace, len(models))
	for _, row := range ids {
		traces, err := lockstep(ctx, models, source, row, func(_, n int) { progress(n) })
		if err != nil {
			return nil, err
		}
		for k := range models {
			all[k] = append(all[k], traces[k])
		}
	}
	return all, nil
}

func (m *Model) check(ids [][]int64) error {
	if len(ids) == 0 || len(ids[0]) < 2 {
		return fmt.Errorf("eval: no sequence of two tokens or more: nothing is predicted")
	}
	for s, row := range ids {
		if len(row) != len(ids[0]) {
			return fmt.Errorf("eval: sequence %d has %d tokens, the first %d: expected one length", s, len(row), len(ids[0]))
		}
		for i, id := range row {
			if id < 0 || id >= int64(m.Vocab) {
				return fmt.Errorf("eval: token %d of sequence %d is %d: expected one of the vocabulary of %d of %s", i, s, id, m.Vocab, m.title())
			}
		}
	}
	return nil
}

func sameVocabulary(source, m *Model) error {
	if source.Vocab != m.Vocab {
		return fmt.Errorf("eval: %s has a vocabulary of %d, %s one of %d: not its source", source.title(), source.Vocab, m.title(), m.Vocab)
	}
	return nil
}
