package ref

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// Float is what a forward pass computes in: every weight, activation and sum.
type Float interface{ float32 | float64 }

// general is a row-major matrix, as blas32 and blas64 have it.
type general[T Float] struct {
	Rows, Cols int
	Stride     int
	Data       []T
}

// gemm computes c = alpha a b, or alpha a bᵀ.
func gemm[T Float](transB blas.Transpose, alpha T, a, b, c *general[T]) {
	switch a := any(a).(type) {
	case *general[float64]:
		blas64.Gemm(blas.NoTrans, transB, float64(alpha), view64(a), view64(any(b).(*general[float64])), 0, view64(any(c).(*general[float64])))
	case *general[float32]:
		blas32.Gemm(blas.NoTrans, transB, float32(alpha), view32(a), view32(any(b).(*general[float32])), 0, view32(any(c).(*general[float32])))
	}
}

func view64(a *general[float64]) blas64.General {
	return blas64.General{Rows: a.Rows, Cols: a.Cols, Stride: a.Stride, Data: a.Data}
}

func view32(a *general[float32]) blas32.General {
	return blas32.General{Rows: a.Rows, Cols: a.Cols, Stride: a.Stride, Data: a.Data}
}

func exp[T Float](x T) T  { return T(math.Exp(float64(x))) }
func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

// wide returns x in float64: x itself where it is that already.
func wide[T Float](x []T) []float64 {
	if same, ok := any(x).([]float64); ok {
		return same
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// narrow rounds what was computed in wide(x) back into x.
func narrow[T Float](x []T, wide []float64) {
	if _, ok := any(x).([]float64); ok {
		return
	}
	for i, v := range wide {
		x[i] = T(v)
	}
}

// round makes numbers of float64 those of T.
func round[T Float](x []float64) {
	if _, ok := any(T(0)).(float64); ok {
		return
	}
	for i, v := range x {
		x[i] = float64(T(v))
	}
}
