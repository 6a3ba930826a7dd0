package gemm

import "fmt"

// Float is what matrices are made of.
type Float interface{ float32 | float64 }

// View is a matrix in memory that other matrices may share: by rows, Of, or by
// columns, its transposed.
type View[T Float] struct {
	rows, cols int
	stride     int
	turned     bool // columns are in order, stride apart, in place of rows
	data       []T
}

// Of is the matrix of rows × cols whose rows lie stride apart in data. It panics
// where data ends before the matrix does, or rows overlap.
func Of[T Float](rows, cols, stride int, data []T) View[T] {
	if rows < 0 || cols < 0 || rows > 1 && stride < cols {
		panic(fmt.Sprintf("gemm: a matrix of %d × %d with rows %d apart", rows, cols, stride))
	}
	if rows > 0 && cols > 0 {
		data = data[:(rows-1)*stride+cols]
	}
	return View[T]{rows: rows, cols: cols, stride: stride, data: data}
}

// T is the transposed, in the same memory.
func (v View[T]) T() View[T] {
	v.rows, v.cols, v.turned = v.cols, v.rows, !v.turned
	return v
}

// part is the matrix of rows × cols whose first element is v's (i, j).
func (v View[T]) part(i, j, rows, cols int) View[T] {
	at := i*v.stride + j
	if v.turned {
		at = j*v.stride + i
	}
	v.rows, v.cols, v.data = rows, cols, v.data[at:]
	return v
}

// scale multiplies v, whose rows are in order, by beta; by 0 whatever it held.
func (v View[T]) scale(beta T) {
	for i := range v.rows {
		row := v.data[i*v.stride:][:v.cols]
		switch beta {
		case 0:
			clear(row)
		case 1:
			return
		default:
			for j := range row {
				row[j] *= beta
			}
		}
	}
}
