package eval

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// Model is a model that can be scored. It is not safe for concurrent use.
type Model struct {
	// Name is the folder's name, Dir its path.
	Name, Dir string
	// Vocab is the vocabulary's size; TrainedLength and MaxPositions are what
	// the configuration says.
	Vocab, TrainedLength, MaxPositions int
	// Runner is "ort-cpu", "ort-cuda" or "ref", Runtime ONNX Runtime's version
	// or "". Note says why it is not what could be expected, or "".
	Runner, Runtime, Note string

	// as, where not "", is the rival that the model in from became for a comparison.
	as, from string

	path   string // as given
	opts   Options
	ckpt   store.Store
	loaded *family.Model
	run    runner
	length int // the length whose spectrum run has
	memory memory
}

// Open reads a checkpoint's folder, with or without a model.onnx; the weights
// are loaded with the first sequence. Errors: no checkpoint there, a family that
// is not known, a runtime that was asked for and cannot be loaded (matches
// [ort.ErrUnavailable]).
func Open(ctx context.Context, dir string, opts Options) (*Model, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &Model{path: dir, opts: opts, Runner: RunnerRef}
	m.memory.room = opts.Remember
	if opts.Runner != RunnerRef {
		lib, err := ort.Load(opts.ORTLibrary)
		var why *ort.UnavailableError
		switch {
		case err == nil:
			m.Runner, m.Runtime = run.ORTNameWith(ort.Options{Provider: opts.Provider, OpsLibrary: opts.OpsLibrary}), lib.Version
		case opts.Runner == RunnerORT, opts.Provider != ort.ProviderCPU, !errors.As(err, &why), why.Explicit:
			return nil, err
		default:
			m.Note = "the Go reference runs it, slowly: " + why.Reason + "; " + why.Remedy
		}
	}
	if m.ckpt, err = store.Open(dir); err != nil {
		return nil, err
	}
	if m.loaded, err = families.LoadIgnoring(m.ckpt, opts.IgnoreKeys); err != nil {
		m.ckpt.Close()
		return nil, err
	}
	m.Dir = m.ckpt.Root()
	m.Name = filepath.Base(m.Dir)
	if a, err := filepath.Abs(m.Dir); err == nil {
		m.Name = filepath.Base(a)
	}
	m.Vocab, m.TrainedLength, m.MaxPositions = m.loaded.Vocab, m.loaded.TrainedLength, m.loaded.MaxPositions
	return m, nil
}

// title names the model in messages.
func (m *Model) title() string {
	if m.as != "" {
		return m.from + " as " + m.as
	}
	return m.Dir
}

// Close frees the model and what was made for it.
func (m *Model) Close() error {
	m.free()
	m.memory.forget(0)
	return m.ckpt.Close()
}

func (m *Model) free() {
	if m.run != nil {
		m.run.close()
		m.run = nil
	}
}

// prepare makes m.run one for sequences of n tokens.
func (m *Model) prepare(ctx context.Context, n int) error {
	if m.run != nil && n <= m.run.limit() {
		same, err := m.sameSpectra(m.length, n)
		if err != nil || same {
			return err
		}
	}
	m.free()
	// A rotation that depends on the length is the one of n tokens, as stock
	// loaders have it: a longer table would be another model.
	length := max(n, m.opts.Length)
	same, err := m.sameSpectra(length, n)
	if err != nil {
		return err
	}
	if !same {
		length = n
	}
	at, err := m.loaded.AtLength(length)
	if err != nil {
		return fmt.Errorf("%s: %w", m.title(), err)
	}
	if m.Runner != RunnerRef {
		m.run, err = openGraph(ctx, m, at, n, length)
		if err != nil && m.opts.Runner == RunnerAuto && errors.Is(err, posenc.ErrUnsupported) {
			m.Note = "the Go reference runs it, slowly: no graph can be made of it: " + err.Error()
			m.Runner, m.Runtime, err = RunnerRef, "", nil
		}
	}
	if m.Runner == RunnerRef {
		m.run = newRef(at, m.ckpt)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.title(), err)
	}
	m.length = length
	return nil
}

// sameSpectra tells whether the model turns sequences of a and of b tokens
// alike.
func (m *Model) sameSpectra(a, b int) (bool, error) {
	if a == b || m.loaded.Rope.Type == "" {
		return true, nil
	}
	x, err := m.loaded.AtLength(a)
	if err != nil {
		return false, fmt.Errorf("%s: %w", m.title(), err)
	}
	y, err := m.loaded.AtLength(b)
	if err != nil {
		return false, fmt.Errorf("%s: %w", m.title(), err)
	}
	for i, a := range x.Attentions() {
		if !reflect.DeepEqual(a.Rotary.Spectrum, y.Blocks[i].Attn().Rotary.Spectrum) {
			return false, nil
		}
	}
	return true, nil
}
