package ort

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Session is a model loaded into ONNX Runtime.
type Session struct {
	path    string
	options Options
	inputs  []Value
	outputs []Value

	runs atomic.Int64

	mu      sync.RWMutex // held for reading while a run is on
	back    backend
	profile string
}

// backend is what the runtime does for a session, tensors in the graph's order.
type backend interface {
	// run computes the outputs. shapes has the shape of each output where it is
	// known before the run, nil where it is not; into the memory of those that the
	// caller gave some for, nil for the others.
	run(ctx context.Context, inputs []Tensor, shapes [][]int64, into []*Tensor) ([]Tensor, error)
	close() error
}

// Open loads a model file, with the external data that lies beside it. [Load]
// or [Init] must have succeeded before. The error names the model; where the
// provider cannot be had on this machine it matches [ErrUnavailable].
func Open(modelPath string, options Options) (*Session, error) {
	options, err := options.normal()
	if err != nil {
		return nil, err
	}
	if builtWithout != nil {
		return nil, builtWithout
	}
	if Version() == "" {
		return nil, &UnavailableError{Reason: "no ONNX Runtime library has been loaded", Remedy: howToGet}
	}
	inputs, outputs, err := readInterface(modelPath)
	if err != nil {
		return nil, err
	}
	for _, v := range outputs {
		if _, known := elemTypes[v.elem]; !known {
			return nil, fmt.Errorf("ort: %s: output %q is no tensor that can be read: its ONNX element type is %d", modelPath, v.Name, v.elem)
		}
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("ort: %s: the graph has no inputs, so there is nothing to run it on", modelPath)
	}
	s := &Session{path: modelPath, options: options, inputs: inputs, outputs: outputs}
	prefix := ""
	if options.ProfileDir != "" {
		if prefix, err = profilePrefix(options.ProfileDir); err != nil {
			return nil, fmt.Errorf("ort: %s: profile: %w", modelPath, err)
		}
	}
	if s.back, err = openBackend(modelPath, inputs, outputs, options, prefix); err != nil {
		return nil, err
	}
	s.profile = prefix
	return s, nil
}

// Path is the model file.
func (s *Session) Path() string { return s.path }

// Options are those of the session, defaults filled in.
func (s *Session) Options() Options { return s.options }

// Runs is how many runs were begun.
func (s *Session) Runs() int64 { return s.runs.Load() }

// Inputs are the inputs the graph needs, in its order.
func (s *Session) Inputs() []Value { return s.inputs }

// Outputs are the outputs of the graph, in its order.
func (s *Session) Outputs() []Value { return s.outputs }

// Run computes every output of the graph from the inputs, by name. Shapes and
// types are compared with what the graph declares, named dimensions among each
// other, before and after. The outputs are in Go's memory.
func (s *Session) Run(inputs map[string]Tensor) (map[string]Tensor, error) {
	return s.RunContext(context.Background(), inputs)
}

// RunContext is Run, ended early with the context's error when that is done.
func (s *Session) RunContext(ctx context.Context, inputs map[string]Tensor) (map[string]Tensor, error) {
	return s.RunInto(ctx, inputs, nil)
}

// Memory gives the memory that an output is written to: v is as the graph declares
// it, shape as the inputs fix it, nil where they do not. It may be an input's, of an
// operator that writes into what it reads, and then of that input's shape. false
// leaves the output to the session.
type Memory func(v Value, shape []int64) (Tensor, bool)

// RunInto is RunContext with outputs in memory of the caller's: a loop that hands a
// cache on from run to run allocates nothing. The result holds the same tensors.
func (s *Session) RunInto(ctx context.Context, inputs map[string]Tensor, memory Memory) (map[string]Tensor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.back == nil {
		return nil, fmt.Errorf("ort: %s: the session is closed", s.path)
	}
	ordered, sizes, err := bind(s.inputs, inputs)
	if err != nil {
		return nil, fmt.Errorf("ort: %s: %w", s.path, err)
	}
	shapes, into := make([][]int64, len(s.outputs)), make([]*Tensor, len(s.outputs))
	for i, v := range s.outputs {
		shapes[i], _ = v.resolve(sizes)
		if memory == nil {
			continue
		}
		if t, ok := memory(v, shapes[i]); ok {
			if t.DType != v.DType {
				return nil, fmt.Errorf("ort: %s: output %q: memory of %s, the graph declares %s", s.path, v.Name, t.DType, v.DType)
			}
			if err := t.check(); err != nil {
				return nil, fmt.Errorf("ort: %s: output %q: memory: %w", s.path, v.Name, err)
			}
			into[i] = &t
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ort: %s: %w", s.path, err)
	}
	s.runs.Add(1)
	results, err := s.back.run(ctx, ordered, shapes, into)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("ort: %s: %w", s.path, err)
	}
	named := make(map[string]Tensor, len(results))
	for i, v := range s.outputs {
		if into[i] == nil { // else it has the shape that the caller gave, or the run failed
			if err := v.verifyOutput(results[i], sizes); err != nil {
				return nil, fmt.Errorf("ort: %s: %w", s.path, err)
			}
		}
		named[v.Name] = results[i]
	}
	return named, nil
}

// Close frees the session, once the runs that are on have ended, and finishes
// its profile. Closing it again does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.back == nil {
		return nil
	}
	err := s.back.close()
	s.back = nil
	if err != nil {
		return fmt.Errorf("ort: %s: close: %w", s.path, err)
	}
	return nil
}

// Profile gives the file the session's profile was written to. It is there
// after Close, for a session with Options.ProfileDir.
func (s *Session) Profile() (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.profile == "":
		return "", fmt.Errorf("ort: %s: the session has no profile: set Options.ProfileDir", s.path)
	case s.back != nil:
		return "", fmt.Errorf("ort: %s: the profile is written when the session is closed", s.path)
	}
	found, err := filepath.Glob(globEscape(s.profile) + "*.json")
	if err == nil && len(found) != 1 {
		err = errors.New("the runtime wrote none")
	}
	if err != nil {
		return "", fmt.Errorf("ort: %s: profile %s*.json: %w", s.path, s.profile, err)
	}
	return found[0], nil
}
