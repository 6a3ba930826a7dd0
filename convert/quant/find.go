package quant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Storage is how a checkpoint stores its quantised weights.
type Storage struct {
	Declaration *Declaration
	// Tensors are the weights by their plain names.
	Tensors map[string]*Tensor
	// Hidden are stored tensors that a plain checkpoint does not have: codes of
	// another name, scales, and what belongs to activations and caches.
	Hidden map[string]bool
	// Warnings say what other programs compute otherwise.
	Warnings []string
}

// Find describes the quantised weights of a checkpoint with tensors of these names;
// nil where none is declared, or none is stored in a format that is read and no scales
// of caches either. A weight of a declared format whose tensors do not fit is an
// error.
func Find(d *Declaration, src Source, names []string) (*Storage, error) {
	if d == nil {
		return nil, nil
	}
	if err := d.online(); err != nil {
		return nil, err
	}
	s := &Storage{Declaration: d, Tensors: map[string]*Tensor{}, Hidden: map[string]bool{}}
	if err := d.turned(names); err != nil {
		return nil, err
	}
	for _, f := range formats {
		if !slices.Contains(f.Methods, d.Method) {
			continue
		}
		for _, name := range names {
			base, ok := strings.CutSuffix(name, f.Key)
			if !ok {
				continue
			}
			t, err := f.Open(d, src, base)
			if err != nil {
				return nil, fmt.Errorf("quantised weights (%s): %w", f.Name, err)
			}
			if t == nil {
				continue
			}
			if s.Tensors[t.Info.Name] != nil {
				return nil, fmt.Errorf("tensor %q is stored twice, as %s and as %s: expected one: %w", t.Info.Name, s.Tensors[t.Info.Name].Format, f.Name, posenc.ErrUnsupported)
			}
			if _, plain := src.Lookup(t.Info.Name); plain && !slices.Contains(t.Parts, t.Info.Name) {
				return nil, fmt.Errorf("tensor %q is stored as it is, and as %s: expected one: %w", t.Info.Name, f.Name, posenc.ErrUnsupported)
			}
			s.Tensors[t.Info.Name] = t
			for _, part := range t.Parts {
				if part != t.Info.Name {
					s.Hidden[part] = true
				}
			}
			for _, text := range t.Warnings {
				s.warn("%s", text)
			}
		}
	}
	for name := range s.Tensors {
		delete(s.Hidden, name)
	}
	s.aside(names)
	switch {
	case len(s.Hidden) == 0 && len(s.Tensors) == 0:
		return nil, nil
	case len(s.Tensors) > 0:
		if err := s.unscaled(src, names); err != nil {
			return nil, err
		}
		s.readers()
		s.listed()
	}
	return s, nil
}

func (s *Storage) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.Warnings, text) {
		s.Warnings = append(s.Warnings, text)
	}
}

// unscaled refuses codes beside which nothing makes numbers of them.
func (s *Storage) unscaled(src Source, names []string) error {
	for _, name := range names {
		info, _ := src.Lookup(name)
		if len(info.Shape) > 1 && !s.Hidden[name] && s.Tensors[name] == nil && slices.Contains(floats8, info.DType) {
			return fmt.Errorf("tensor %q is %s, and %s declares quantised weights (%s), yet no scales are stored beside it: the checkpoint is incomplete", name, info.DType, s.Declaration.Where, s.Declaration.Method)
		}
	}
	return nil
}
