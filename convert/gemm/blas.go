package gemm

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// native says that what gonum has in use is not its own code (openblas.go).
var native bool

// byBLAS computes c = alpha a b + beta c by the BLAS that gonum has in use.
//
// gonum's own forms that do not take dot products of rows skip zeros, and 0
// times an infinite number must be NaN: they are given the transposed.
func byBLAS[T Float](alpha T, a, b View[T], beta T, c View[T]) {
	if a.cols == 0 {
		c.scale(beta)
		return
	}
	if a.turned && !native {
		a = straight(a)
	}
	if !b.turned && !native {
		b = straight(b.T()).T()
	}
	switch a := any(a).(type) {
	case View[float32]:
		b, c := any(b).(View[float32]), any(c).(View[float32])
		blas32.Implementation().Sgemm(form(a.turned), form(b.turned), c.rows, c.cols, a.cols,
			float32(alpha), a.data, a.stride, b.data, b.stride, float32(beta), c.data, c.stride)
	case View[float64]:
		b, c := any(b).(View[float64]), any(c).(View[float64])
		blas64.Implementation().Dgemm(form(a.turned), form(b.turned), c.rows, c.cols, a.cols,
			float64(alpha), a.data, a.stride, b.data, b.stride, float64(beta), c.data, c.stride)
	}
}

func form(turned bool) blas.Transpose {
	if turned {
		return blas.Trans
	}
	return blas.NoTrans
}

// straight is v, by columns, by rows: a copy.
func straight[T Float](v View[T]) View[T] {
	data := make([]T, v.rows*v.cols)
	turn(data, v)
	return View[T]{rows: v.rows, cols: v.cols, stride: v.cols, data: data}
}
