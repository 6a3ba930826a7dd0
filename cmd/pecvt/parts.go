package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/pecvt/pecvt/cmd/pecvt/batch"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/eval"
)

// dividedVerbs are those whose work batch can divide: sequences of an evaluation, layers
// of a calibration.
var dividedVerbs = []string{"eval", "convert"}

// partRun has a verb run a part of its work. The verb reads its flags as ever, and asks
// here for the rest.
type partRun struct {
	kept *kept
	name string // of the command line
	step partStep
	at   int      // of stepPart
	in   [][]byte // of stepJoin

	count int    // out of stepCount
	out   []byte // out of stepPart
}

type partStep int

const (
	stepCount partStep = iota
	stepPart
	stepJoin
)

// eval runs a part of an evaluation; the report is nil but for stepJoin.
func (p *partRun) eval(ctx context.Context, c eval.Config) (*eval.Report, error) {
	c.Progress = nil // its lines would be of one part
	e, err := keptOr(p, func(*eval.Evaluation) int { return 0 }, func() (*eval.Evaluation, error) { return eval.Begin(ctx, c) })
	if err != nil {
		return nil, err
	}
	switch p.step {
	case stepCount:
		p.count = e.Pieces()
	case stepPart:
		var piece *eval.Piece
		if piece, err = e.Piece(ctx, p.at); err == nil {
			p.out, err = encoded(piece)
		}
	case stepJoin:
		pieces := make([]*eval.Piece, len(p.in))
		for i, raw := range p.in {
			if err = gob.NewDecoder(bytes.NewReader(raw)).Decode(&pieces[i]); err != nil {
				err = fmt.Errorf("part %d of %d: %w", i+1, len(p.in), err)
				break
			}
		}
		var r *eval.Report
		if err == nil {
			r, err = e.Report(pieces)
		}
		return r, errors.Join(err, e.Close(), p.kept.drop(p.name))
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return nil, p.kept.put(p.name, e)
}

// calibrate runs a part of a calibration; the join is the whole verb, which finds the
// layers in the target's work folder.
func (p *partRun) calibrate(ctx context.Context, j tune.Job) (err error) {
	if p.step == stepCount {
		p.count, err = j.Divide(ctx)
		return err
	}
	// The residual stream leads from layer to layer: one that has come close is best.
	l, err := keptOr(p, func(l *tune.Layers) int {
		if n := l.Reached(); n <= p.at {
			return 1 + n
		}
		return 0
	}, func() (*tune.Layers, error) { return j.Layers(ctx) })
	if err != nil {
		return err
	}
	if err := l.Fit(ctx, p.at); err != nil {
		return errors.Join(err, l.Close())
	}
	return p.kept.put(p.name, l)
}

// encoded is a piece in gob, which keeps every number to the last bit.
func encoded(piece *eval.Piece) ([]byte, error) {
	var out bytes.Buffer
	err := gob.NewEncoder(&out).Encode(piece)
	return out.Bytes(), err
}

// kept holds what the parts of a command line need again, models that are loaded above
// all, between one part and the next of the same command line. Each is used by one part
// at a time.
type kept struct {
	mu   sync.Mutex
	most int
	list []keptOne // the least recently used first
}

type keptOne struct {
	name string
	what io.Closer
}

// keptOr takes what is kept for the part's command line, of several that of which good
// says most, or makes it.
func keptOr[T io.Closer](p *partRun, good func(T) int, make func() (T, error)) (T, error) {
	k := p.kept
	k.mu.Lock()
	var best T
	at, most := -1, 0
	for i, o := range k.list {
		if t, fits := o.what.(T); fits && o.name == p.name {
			if n := good(t); at < 0 || n > most {
				best, at, most = t, i, n
			}
		}
	}
	if at >= 0 {
		k.list = slices.Delete(k.list, at, at+1)
	}
	k.mu.Unlock()
	if at < 0 {
		return make()
	}
	return best, nil
}

// put keeps it; as many are kept as parts run at once.
func (k *kept) put(name string, what io.Closer) error {
	k.mu.Lock()
	k.list = append(k.list, keptOne{name, what})
	var gone []keptOne
	if n := len(k.list) - k.most; n > 0 {
		gone, k.list = slices.Clone(k.list[:n]), slices.Delete(k.list, 0, n)
	}
	k.mu.Unlock()
	return closeAll(gone)
}

// drop closes what is kept for a command line, "" for all.
func (k *kept) drop(name string) error {
	k.mu.Lock()
	var gone, stay []keptOne
	for _, o := range k.list {
		if name == "" || o.name == name {
			gone = append(gone, o)
		} else {
			stay = append(stay, o)
		}
	}
	k.list = stay
	k.mu.Unlock()
	return closeAll(gone)
}

func closeAll(list []keptOne) error {
	var err error
	for _, o := range list {
		err = errors.Join(err, o.what.Close())
	}
	return err
}

// batchRunner runs command lines in this process, beside others: whole ones, and parts.
type batchRunner struct {
	threads int
	kept    *kept
}

var _ batch.Parts = batchRunner{}

// run runs a whole command line.
func (b batchRunner) run(ctx context.Context, args []string) batch.Outcome {
	return runJob(ctx, &app{threads: b.threads}, args)
}

func (b batchRunner) part(ctx context.Context, args []string, p *partRun) batch.Outcome {
	p.kept = b.kept
	return runJob(ctx, &app{threads: b.threads, part: p}, args)
}

// Count divides what the verbs can divide.
func (b batchRunner) Count(ctx context.Context, name string, args []string) (int, batch.Outcome) {
	if !slices.Contains(dividedVerbs, args[0]) {
		return 0, batch.Outcome{}
	}
	p := &partRun{name: name, step: stepCount}
	o := b.part(ctx, args, p)
	return p.count, o
}

// Part runs a part.
func (b batchRunner) Part(ctx context.Context, name string, args []string, at int) batch.Outcome {
	p := &partRun{name: name, step: stepPart, at: at}
	o := b.part(ctx, args, p)
	o.Stdout = p.out
	return o
}

// Join makes the result of the parts.
func (b batchRunner) Join(ctx context.Context, name string, args []string, parts [][]byte) batch.Outcome {
	return b.part(ctx, args, &partRun{name: name, step: stepJoin, in: parts})
}
