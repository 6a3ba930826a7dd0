package tensor

import (
	"fmt"
	"math"
)

// Elements gives the number of elements of a tensor of the given shape, the
// product of its dimensions; 1 for a rank-0 tensor. A negative dimension is an
// error, and so is a product that an int64 cannot hold, even where another
// dimension is 0: such a shape describes no real tensor.
func Elements(shape []int64) (int64, error) {
	n, zero := int64(1), false
	for i, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v: dimension %d is negative", shape, i)
		case d == 0:
			zero = true
		case n > math.MaxInt64/d:
			return 0, fmt.Errorf("shape %v: its number of elements overflows 64 bits", shape)
		default:
			n *= d
		}
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// ByteSize gives the bytes that a tensor of the given type and shape takes,
// Elements(shape) * d.Size(), with the errors of [Elements].
func ByteSize(d DType, shape []int64) (int64, error) {
	n, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/int64(d.Size()) {
		return 0, fmt.Errorf("shape %v of %s: its size in bytes overflows 64 bits", shape, d)
	}
	return n * int64(d.Size()), nil
}
