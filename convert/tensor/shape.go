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

// ByteSize gives the bytes that a tensor of the given type and shape takes, with
// the errors of [Elements]. Rows along the last dimension are whole units: a last
// dimension that cuts a block is an error.
func ByteSize(d DType, shape []int64) (int64, error) {
	n, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	elements, bytes := d.Unit()
	if row := lastOf(shape); row%int64(elements) != 0 {
		return 0, fmt.Errorf("shape %v of %s: its rows of %d elements are no whole blocks of %d", shape, d, row, elements)
	}
	n /= int64(elements)
	if n > math.MaxInt64/int64(bytes) {
		return 0, fmt.Errorf("shape %v of %s: its size in bytes overflows 64 bits", shape, d)
	}
	return n * int64(bytes), nil
}

func lastOf(shape []int64) int64 {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}

// Matrix is the shape of a tensor taken as a matrix: all dimensions but the last are
// one. Vectors and matrices stay as they are.
func Matrix(shape []int64) []int64 {
	if len(shape) <= 2 {
		return shape
	}
	rows := int64(1)
	for _, n := range shape[:len(shape)-1] {
		rows *= n // their product was bounded when the tensor's size was
	}
	return []int64{rows, shape[len(shape)-1]}
}

// RowBytes gives which bytes [from, to) of a tensor are its rows [begin, end)
// along the first dimension. Rows that the tensor does not have are an error, and
// so is a range that cuts a block, which only the elements of a vector can do.
func RowBytes(d DType, shape []int64, begin, end int64) (from, to int64, err error) {
	if len(shape) == 0 {
		shape = []int64{1}
	}
	size, err := ByteSize(d, shape)
	if err != nil {
		return 0, 0, err
	}
	if begin < 0 || end < begin || end > shape[0] {
		return 0, 0, fmt.Errorf("rows %d to %d of %d", begin, end, shape[0])
	}
	if shape[0] == 0 {
		return 0, 0, nil
	}
	if elements, bytes := d.Unit(); len(shape) == 1 {
		e := int64(elements)
		if begin%e != 0 || end%e != 0 {
			return 0, 0, fmt.Errorf("elements %d to %d cut a block of %s, which are %d elements", begin, end, d, e)
		}
		return begin / e * int64(bytes), end / e * int64(bytes), nil
	}
	row := size / shape[0]
	return begin * row, end * row, nil
}

// Count gives the number of elements of type d in some bytes, which must be whole
// units.
func Count(d DType, bytes int64) (int64, error) {
	elements, size := d.Unit()
	if bytes%int64(size) != 0 {
		return 0, fmt.Errorf("%d bytes are no whole number of %s, which takes %d for %d", bytes, d, size, elements)
	}
	return bytes / int64(size) * int64(elements), nil
}
