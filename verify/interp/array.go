package interp

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Kind says which of an Array's slices holds its elements.
type Kind uint8

// Every ONNX element type falls into one of three kinds: all float types are
// computed in float64, all integer types in int64.
const (
	Float Kind = iota
	Int
	Bool
)

func (k Kind) String() string {
	switch k {
	case Float:
		return "float"
	case Int:
		return "int"
	default:
		return "bool"
	}
}

// Array is a dense tensor in row-major order. Exactly the slice named by Kind
// is in use; its length is the product of Shape (1 for the empty Shape, a
// scalar). Arrays that Run returns or shows to a tap may share memory with one
// another and with the inputs: read them, do not write to them.
type Array struct {
	Shape []int
	Kind  Kind
	F     []float64
	I     []int64
	B     []bool

	of     floatType // of the graph's value, for floats
	exact  bool      // every number is one of that type
	weight *weight   // set instead of a slice: decoded on use
}

// Floats is an Array over data, which it does not copy. It panics when data
// does not fill shape.
func Floats(data []float64, shape ...int) *Array {
	a := &Array{Shape: shape, Kind: Float, F: data}
	a.mustFill(len(data))
	return a
}

// Ints is an Array over data, which it does not copy. It panics when data does
// not fill shape.
func Ints(data []int64, shape ...int) *Array {
	a := &Array{Shape: shape, Kind: Int, I: data}
	a.mustFill(len(data))
	return a
}

// Bools is an Array over data, which it does not copy. It panics when data
// does not fill shape.
func Bools(data []bool, shape ...int) *Array {
	a := &Array{Shape: shape, Kind: Bool, B: data}
	a.mustFill(len(data))
	return a
}

func (a *Array) mustFill(n int) {
	if count(a.Shape) != n {
		panic(fmt.Sprintf("interp: %d elements cannot fill shape %v", n, a.Shape))
	}
}

// Len is the number of elements.
func (a *Array) Len() int { return count(a.Shape) }

func (a *Array) String() string {
	if d, ok := a.Type(); ok && d != tensor.F32 {
		return fmt.Sprintf("%v%v", d, a.Shape)
	}
	return fmt.Sprintf("%v%v", a.Kind, a.Shape)
}

// check reports an Array whose slice does not fill its shape, as a caller of
// Run may hand one in.
func (a *Array) check() error {
	n, err := elements(a.Shape)
	if err != nil {
		return err
	}
	have := 0
	switch a.Kind {
	case Float:
		have = len(a.F)
	case Int:
		have = len(a.I)
	case Bool:
		have = len(a.B)
	default:
		return fmt.Errorf("unknown kind %d", a.Kind)
	}
	if have != n {
		return fmt.Errorf("shape %v needs %d elements, has %d", a.Shape, n, have)
	}
	return nil
}

// reshaped is the same data under another shape of the same length.
func (a *Array) reshaped(shape []int) *Array {
	b := *a
	b.Shape = shape
	return &b
}

// maxElements bounds what one value may hold (16 GiB of float64), so that a
// damaged graph ends in an error and not in the runtime's out of memory. Only
// tests change it.
var maxElements = math.MaxInt32

// elements is the product of shape, refusing negative dimensions and values
// too large to hold.
func elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > maxElements/d {
			return 0, fmt.Errorf("shape %v holds more than %d elements", shape, maxElements)
		}
		n *= d
	}
	return n, nil
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func newArray(kind Kind, shape ...int) (*Array, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	a := &Array{Shape: shape, Kind: kind}
	switch kind {
	case Float:
		a.F = make([]float64, n)
	case Int:
		a.I = make([]int64, n)
	default:
		a.B = make([]bool, n)
	}
	return a, nil
}

// strides of a dense row-major array.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

func equalShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// element is what an Array can hold.
type element interface{ float64 | int64 | bool }

// data is the slice of a of element type T; a must have that kind.
func data[T element](a *Array) []T {
	var s any
	switch any(*new(T)).(type) {
	case float64:
		s = a.F
	case int64:
		s = a.I
	default:
		s = a.B
	}
	return s.([]T)
}
