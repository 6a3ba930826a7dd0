package ort

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// binding is a size that a named dimension has in this run, and where it was
// first seen.
type binding struct {
	size int64
	from string
}

// bind compares tensors with what the graph declares and puts them in the
// graph's order. The sizes of named dimensions must agree among the inputs: the
// runtime does not compare them, and computes something else instead.
func bind(declared []Value, given map[string]Tensor) ([]Tensor, map[string]binding, error) {
	ordered := make([]Tensor, len(declared))
	sizes := map[string]binding{}
	for i, v := range declared {
		t, ok := given[v.Name]
		if !ok {
			return nil, nil, fmt.Errorf("input %q is not given; the graph takes %s", v.Name, list(declared))
		}
		if _, known := elemTypes[v.elem]; !known {
			return nil, nil, fmt.Errorf("input %q is no tensor that can be passed: its ONNX element type is %d", v.Name, v.elem)
		}
		if t.DType != v.DType {
			return nil, nil, fmt.Errorf("input %q is %s, the graph takes %s", v.Name, t.DType, v.DType)
		}
		if err := t.check(); err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
		if err := v.fits(t.Shape, sizes); err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
		ordered[i] = t
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(declared, func(v Value) bool { return v.Name == name }) {
			return nil, nil, fmt.Errorf("the graph has no input %q; it takes %s", name, list(declared))
		}
	}
	return ordered, sizes, nil
}

// fits compares a shape with the declared one and notes the sizes of named
// dimensions.
func (v Value) fits(shape []int64, sizes map[string]binding) error {
	if v.Shape == nil {
		return nil
	}
	if len(shape) != len(v.Shape) {
		return fmt.Errorf("shape %v has rank %d, the graph declares %s", shape, len(shape), v.dims())
	}
	for i, size := range shape {
		if want := v.Shape[i]; want >= 0 && size != want {
			return fmt.Errorf("shape %v: dimension %d is %d, the graph declares %s", shape, i, size, v.dims())
		}
		symbol := v.Symbols[i]
		if symbol == "" {
			continue
		}
		if seen, ok := sizes[symbol]; !ok {
			sizes[symbol] = binding{size, v.Name}
		} else if seen.size != size {
			return fmt.Errorf("shape %v: dimension %d (%s) is %d, but it is %d in %q", shape, i, symbol, size, seen.size, seen.from)
		}
	}
	return nil
}

// resolve gives the shape that an output will have by its declaration, false
// where a dimension is neither fixed nor named in an input.
func (v Value) resolve(sizes map[string]binding) ([]int64, bool) {
	if v.Shape == nil {
		return nil, false
	}
	shape := slices.Clone(v.Shape)
	for i, size := range shape {
		if size >= 0 {
			continue
		}
		b, ok := sizes[v.Symbols[i]]
		if !ok || v.Symbols[i] == "" {
			return nil, false
		}
		shape[i] = b.size
	}
	return shape, true
}

// verifyOutput compares a result with what the graph declares: a wrong stamp on
// an output is an error of the graph that the runtime lets pass.
func (v Value) verifyOutput(t Tensor, sizes map[string]binding) error {
	if t.DType != v.DType {
		return fmt.Errorf("output %q is %s, the graph declares %s", v.Name, t.DType, v.DType)
	}
	if err := v.fits(t.Shape, sizes); err != nil {
		return fmt.Errorf("output %q: %w", v.Name, err)
	}
	return nil
}

func list(values []Value) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v.String()
	}
	return strings.Join(names, ", ")
}
