// Package gemm multiplies matrices: C = α A B + β C, in float32 and float64.
//
// Where the processor has vector instructions that the package knows (AVX-512, or
// AVX2 with FMA, on amd64, which is asked at run time) the product is made of tiles
// of twelve or six rows and two registers' columns that stay in registers while the
// inner dimension runs, panels of B being packed so that they are read in order
// (Goto and van de Geijn, doi:10.1145/1356052.1356053, without the packing of A). On
// other processors, with the build tag purego, and with the tag openblas the product
// is gonum's or OpenBLAS's; Name says which.
//
// # Rounding
//
// An element of A B is summed in the order of the inner dimension, by fused
// multiply-adds from zero within each run of 256, and the runs are added to C one
// after the other. For fewer than four rows of A with the rows of Bᵀ in order it
// is a product of two vectors, its lanes' sums added at the end. Neither depends
// on where in C the element lies, on how many processors share the work, or on which
// of our kernels does it, so that the same product has the same bits.
//
// Nothing is skipped: zero times an infinite number is NaN.
package gemm
