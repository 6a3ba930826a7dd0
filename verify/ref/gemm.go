package ref

import (
	"unsafe"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

var (
	// library names what multiplies matrices; native that it is not gonum's own
	// code (see openblas.go).
	library = "gonum"
	native  = false
)

// BLAS names the library that multiplies matrices: gonum, or OpenBLAS with its
// version and kernel in a program built with the tag openblas.
func BLAS() string { return library }

// general is a row-major matrix, as blas32 and blas64 have it.
type general[T Float] struct {
	Rows, Cols int
	Stride     int
	Data       []T
}

// row is row i.
func (g *general[T]) row(i int) []T { return g.Data[i*g.Stride : i*g.Stride+g.Cols] }

// gemm computes c = alpha a b, or alpha a bᵀ.
//
// gonum multiplies matrices by inner products of two vectors, which wait for
// their own sums; its products of a float64 matrix and a vector run four rows
// at a time and take some 60% of that time. So every row of a goes to one of
// those.
func gemm[T Float](transB blas.Transpose, alpha T, a, b, c *general[T]) {
	switch a := any(a).(type) {
	case *general[float64]:
		b, c := any(b).(*general[float64]), any(c).(*general[float64])
		if native {
			blas64.Gemm(blas.NoTrans, transB, float64(alpha), view64(a), view64(b), 0, view64(c))
			return
		}
		trans := blas.Trans
		if transB == blas.Trans {
			trans = blas.NoTrans
		}
		for i := range a.Rows {
			x, y := a.row(i), c.row(i)
			blas64.Gemv(trans, float64(alpha), view64(b), blas64.Vector{N: len(x), Inc: 1, Data: x}, 0, blas64.Vector{N: len(y), Inc: 1, Data: y})
		}
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

// tile returns how many rows of W, (out, in), are decoded and multiplied at a
// time, and by how many rows of x: for gonum a block of W that stays in a core's
// own caches, and so few rows of x that gonum runs a product on the calling
// goroutine; for OpenBLAS an even share of W for each processor, of as many rows
// as make its packing worth while.
func tile[T Float](in, out int) (rows, tokens int) {
	if native {
		workers := workerCount()
		blocks := max((out+nativeRows*workers-1)/(nativeRows*workers), 1) * workers
		return max((out+blocks-1)/blocks, 1), 1 << 20
	}
	var t T
	return min(max(tileBytes/(in*int(unsafe.Sizeof(t))), 4), 64) &^ 3, 128
}

const (
	// tileBytes is the size of a block of W: a part of a second-level cache, which
	// keeps up with a product of four rows.
	tileBytes = 160 << 10
	// nativeRows bounds the rows of W that are decoded at a time for OpenBLAS.
	nativeRows = 512
)
