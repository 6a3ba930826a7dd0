//go:build !purego && !(openblas && cgo)

package gemm

import "golang.org/x/sys/cpu"

func init() {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return
	}
	kernels32 = &kernels[float32]{cols: 16, tile: tile32, dots: dots32, dotStep: 16, turn: turn32, turnRows: 8, turnStep: 4, rows: rows32, sixes: sixes32}
	kernels64 = &kernels[float64]{cols: 8, tile: tile64, dots: dots64, dotStep: 8, turn: turn64, turnRows: 4, turnStep: 2, rows: rows64, sixes: sixes64}
	library = "pecvt, AVX2"
}

//go:noescape
func tile32(k int, a *float32, row, step int, b, c *float32, ldc int, alpha float32)

//go:noescape
func tile64(k int, a *float64, row, step int, b, c *float64, ldc int, alpha float64)

//go:noescape
func dots32(k int, x, w *float32, ldw int, y *[dotRows]float32)

//go:noescape
func dots64(k int, x, w *float64, ldw int, y *[dotRows]float64)

//go:noescape
func turn32(k int, src *float32, ld int, dst *float32)

//go:noescape
func turn64(k int, src *float64, ld int, dst *float64)

//go:noescape
func rows32(k int, src *float32, ld int, dst *float32)

//go:noescape
func rows64(k int, src *float64, ld int, dst *float64)

//go:noescape
func sixes32(k int, src *float32, ld int, dst *float32)

//go:noescape
func sixes64(k int, src *float64, ld int, dst *float64)
