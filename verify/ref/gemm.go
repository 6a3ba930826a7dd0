package ref

import (
	"unsafe"

	"github.com/pecvt/pecvt/convert/gemm"
)

// BLAS names what multiplies matrices: our own kernels, gonum or OpenBLAS
// (convert/gemm).
func BLAS() string { return gemm.Name() }

// product writes x Wᵀ for x (n, in) and w (rows, in) to y, whose rows are
// stride apart.
func product[T Float](x []T, n, in int, w []T, rows int, y []T, stride int) {
	gemm.Mul(1, gemm.Of(n, in, in, x), gemm.Of(rows, in, in, w).T(), 0, gemm.Of(n, rows, stride, y))
}

// tile returns how many rows of W, (out, in), are decoded and multiplied at a
// time: as many as stay in a core's own caches, and no more than leave work for
// every processor.
func tile[T Float](in, out int) int {
	var t T
	rows := tileBytes / (max(in, 1) * int(unsafe.Sizeof(t)))
	share := (out + workerCount() - 1) / workerCount()
	return max(min(rows, share, 256)&^15, 16)
}

// tileBytes is the size of a block of W: a part of a second-level cache, beside
// its packed form.
const tileBytes = 256 << 10
