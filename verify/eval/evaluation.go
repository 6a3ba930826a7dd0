package eval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Evaluation is one that is under way. It falls into pieces that do not depend on one
// another: [Evaluation.Piece] runs one, here or in another process that has begun the
// same evaluation, in any order, and [Evaluation.Report] makes a report of all. It is
// not safe for concurrent use.
type Evaluation struct {
	c           *Config
	models      []*Model    // the source first
	source      int         // 0, or -1 for none
	sequences   [][][]int64 // by length
	probe       *probe
	made        *fsio.Temporary // rivals, or nil
	pieces      []pieceAt
	report      Report // without results
	begin, work time.Time
	done, total int
}

// Begin opens the models and cuts the text into sequences. Weights are loaded with the
// first piece. Errors: a configuration that cannot be meant, what [Open] says, models of
// several vocabularies, a text that is too short.
func Begin(ctx context.Context, c Config) (*Evaluation, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Evaluation{c: &c, begin: time.Now()}
	e.report = Report{Schema: 1, IDs: base(c.IDs), Seed: c.Seed}
	for _, t := range c.Texts {
		e.report.Texts = append(e.report.Texts, base(t))
	}
	if err = e.open(ctx); err == nil {
		err = e.read(ctx)
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close frees the models.
func (e *Evaluation) Close() error {
	var err error
	for _, m := range e.models {
		err = errors.Join(err, m.Close())
	}
	return errors.Join(err, e.made.Remove())
}

func (e *Evaluation) open(ctx context.Context) error {
	paths := e.c.Models
	e.source = -1
	if e.c.Against != "" {
		e.source = 0
		paths = append([]string{e.c.Against}, paths...)
	}
	for i, path := range paths {
		m, err := Open(ctx, path, e.c.Options)
		if err != nil {
			if i == 0 && e.source == 0 {
				err = hint.Errorf(hint.EvalAgainst+": %w", err)
			}
			return err
		}
		e.models = append(e.models, m)
	}
	if err := e.addRivals(ctx, e.models[0]); err != nil {
		return err
	}
	for _, m := range e.models {
		if m.Vocab != e.models[0].Vocab {
			return fmt.Errorf("%s has a vocabulary of %d, %s one of %d: the same tokens cannot be given to both", e.models[0].title(), e.models[0].Vocab, m.title(), m.Vocab)
		}
	}
	nameApart(e.models)
	return nil
}

// nameApart gives models of one name their paths as names, rivals what they are made of.
func nameApart(models []*Model) {
	count := map[string]int{}
	for _, m := range models {
		count[m.Name]++
	}
	for _, m := range models {
		if count[m.Name] > 1 {
			m.Name = m.title()
		}
	}
}

func (e *Evaluation) read(ctx context.Context) error {
	rows, tokenizer, err := readRows(ctx, e.c, e.models)
	if err != nil {
		return err
	}
	e.report.Tokenizer = tokenizer
	for _, row := range rows {
		e.report.TokensRead += len(row)
	}
	first := int64(-1)
	if e.c.BOS {
		if first, err = BOS(e.models[0].Dir, e.models[0].Vocab); err != nil {
			return err
		}
		e.report.BOS = &first
	}
	for _, n := range e.c.Lengths {
		s, err := cutRows(rows, n, e.c.Sequences, first)
		if err != nil {
			return err
		}
		e.sequences = append(e.sequences, s)
	}
	if e.c.Copy > 0 {
		if e.probe, err = newProbe(rows, e.c); err != nil {
			return err
		}
	}
	e.divide()
	return nil
}

// step tells of tokens that have run.
func (e *Evaluation) step(what string) func(tokens int) {
	return func(tokens int) {
		now := time.Now()
		if e.done == 0 {
			e.work = now // the first piece includes loading the weights
		}
		e.done += tokens
		if e.c.Progress == nil {
			return
		}
		p := Progress{What: what, Done: e.done, Total: e.total, Elapsed: now.Sub(e.begin)}
		if e.done > tokens {
			p.Left = time.Duration(float64(now.Sub(e.work)) / float64(e.done-tokens) * float64(e.total-e.done)).Round(time.Second)
		}
		e.c.Progress(p)
	}
}
