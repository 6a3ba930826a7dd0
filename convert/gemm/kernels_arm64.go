//go:build !purego && !(openblas && cgo)

package gemm

func init() { kinds()[0].use() }

// kinds are the one that every processor with 64 bits has. It packs in Go.
func kinds() []kind {
	return []kind{{"pecvt, NEON",
		&kernels[float32]{height: 6, cols: 16, tile: tile32, dots: dots32, dotStep: 16},
		&kernels[float64]{height: 6, cols: 8, tile: tile64, dots: dots64, dotStep: 8}}}
}

//go:noescape
func tile32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)

//go:noescape
func tile64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)

//go:noescape
func dots32(k int, x, w *float32, ldw int, y *[dotRows]float32)

//go:noescape
func dots64(k int, x, w *float64, ldw int, y *[dotRows]float64)
