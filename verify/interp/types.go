package interp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
)

// floatType is an element type of floats, plus one: 0 is none that is known.
type floatType uint8

func typeOf(d tensor.DType) floatType {
	if !d.IsFloat() {
		return 0
	}
	return floatType(d) + 1
}

// Type is the element type of the graph's value that a is: one of floats, false
// for integers, for bools, and for an array that no graph computed. In a run that is
// ideal ([Options.RoundTypes]) the numbers need not be of it.
func (a *Array) Type() (d tensor.DType, known bool) {
	if a.Kind != Float || a.of == 0 {
		return 0, false
	}
	return tensor.DType(a.of - 1), true
}

// typed is a as a value of a type: the same numbers.
func (a *Array) typed(t floatType) *Array {
	if a == nil || a.Kind != Float || t == 0 || a.of == t {
		return a
	}
	b := *a
	b.of, b.exact = t, false
	return &b
}

// A row's types are letters, one for each input, ":" and one for each output: the
// inputs of a letter are of one type of floats, and so are the outputs. "*" is of any,
// "f" is float32, the last letter stands for all that follow. What is no float has no type of
// floats and is passed over.
const (
	alike    = "T:T" // "" in a row
	itself   = "="   // the kernel says what its outputs are
	anyType  = '*'
	isSingle = 'f'
)

// rule splits a row's types.
func (k *kernel) rule() (in, out string) {
	types := k.types
	if types == "" {
		types = alike
	}
	in, out, _ = strings.Cut(types, ":")
	return in, out
}

func letter(of string, i int) byte { return of[min(i, len(of)-1)] }

// bound is what each letter of the row stands for in this call. Inputs of one letter
// and two types are an error, as they are to every runtime.
func (c *call) bound() (map[byte]floatType, error) {
	types, first := map[byte]floatType{}, map[byte]int{}
	in, _ := c.kernel.rule()
	for i, a := range c.in {
		if a == nil || a.Kind != Float || a.of == 0 {
			continue
		}
		l := letter(in, i)
		if l == anyType {
			continue
		}
		if t, ok := types[l]; ok && t != a.of {
			return nil, fmt.Errorf("input %d is %v, input %d %v: expected the same type, or a Cast before it",
				first[l], tensor.DType(t-1), i, tensor.DType(a.of-1))
		} else if !ok {
			types[l], first[l] = a.of, i
		}
	}
	return types, nil
}

// settle gives the outputs their types, and rounds them where that is asked for.
func (c *call) settle(out []*Array) ([]*Array, error) {
	types := map[byte]floatType{isSingle: typeOf(tensor.F32)}
	if c.kernel.types != itself {
		bound, err := c.bound()
		if err != nil {
			return nil, err
		}
		for l, t := range bound {
			types[l] = t
		}
	}
	_, of := c.kernel.rule()
	out = slices.Clone(out) // it may be the inputs
	for i, a := range out {
		if a == nil || a.Kind != Float {
			continue
		}
		if c.kernel.types != itself {
			a = a.typed(types[letter(of, i)])
		}
		if c.options.RoundTypes {
			var err error
			if a, err = a.rounded(); err != nil {
				return nil, err
			}
		}
		out[i] = a
	}
	return out, nil
}

// rounded is a with every number the nearest of its type, ties to even. A weight that
// is not decoded rounds when it is.
func (a *Array) rounded() (*Array, error) {
	d, known := a.Type()
	if !known || d == tensor.F64 || a.exact {
		return a, nil
	}
	b := *a
	b.exact = true
	if a.weight == nil {
		b.F = make([]float64, len(a.F))
		return &b, tensor.Round64(b.F, a.F, d)
	}
	if a.weight.as == 0 && (a.weight.dtype == d || d == tensor.F32 && a.weight.dtype.Size() < d.Size()) {
		return &b, nil // it holds every number of the type that is stored
	}
	if a.weight.as != 0 {
		whole, err := a.dense()
		if err != nil {
			return nil, err
		}
		return whole.typed(a.of).rounded()
	}
	w := *a.weight
	w.as = a.of
	b.weight = &w
	return &b, nil
}
