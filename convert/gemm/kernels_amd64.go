//go:build !purego && !(openblas && cgo)

package gemm

import "golang.org/x/sys/cpu"

// init takes the widest instructions that processor and system have. Which they
// are does not change a bit of any product.
func init() {
	if list := kinds(); len(list) > 0 {
		list[0].use()
	}
}

// kinds are those that this machine can run, the fastest first.
func kinds() (list []kind) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	if cpu.X86.HasAVX512F { // and that the system keeps the registers
		list = append(list, kind{"pecvt, AVX-512",
			&kernels[float32]{height: 12, cols: 32, tile: tileWide32, dots: dots32, dotStep: 16, turn: turnWide32, turnRows: 8, turnStep: 4, rows: rowsWide32, columns: columnsWide32},
			&kernels[float64]{height: 12, cols: 16, tile: tileWide64, dots: dots64, dotStep: 8, turn: turnWide64, turnRows: 4, turnStep: 2, rows: rowsWide64, columns: columnsWide64}})
	}
	return append(list, kind{"pecvt, AVX2",
		&kernels[float32]{height: 6, cols: 16, tile: tile32, dots: dots32, dotStep: 16, turn: turn32, turnRows: 8, turnStep: 4, rows: rows32, columns: columns32},
		&kernels[float64]{height: 6, cols: 8, tile: tile64, dots: dots64, dotStep: 8, turn: turn64, turnRows: 4, turnStep: 2, rows: rows64, columns: columns64}})
}

//go:noescape
func tile32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)

//go:noescape
func tile64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)

//go:noescape
func tileWide32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)

//go:noescape
func tileWide64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)

//go:noescape
func dots32(k int, x, w *float32, ldw int, y *[dotRows]float32)

//go:noescape
func dots64(k int, x, w *float64, ldw int, y *[dotRows]float64)

//go:noescape
func turn32(k int, src *float32, ld int, dst *float32)

//go:noescape
func turn64(k int, src *float64, ld int, dst *float64)

//go:noescape
func turnWide32(k int, src *float32, ld int, dst *float32)

//go:noescape
func turnWide64(k int, src *float64, ld int, dst *float64)

//go:noescape
func rows32(k int, src *float32, ld int, dst *float32)

//go:noescape
func rows64(k int, src *float64, ld int, dst *float64)

//go:noescape
func rowsWide32(k int, src *float32, ld int, dst *float32)

//go:noescape
func rowsWide64(k int, src *float64, ld int, dst *float64)

//go:noescape
func columns32(k int, src *float32, ld int, dst *float32)

//go:noescape
func columns64(k int, src *float64, ld int, dst *float64)

//go:noescape
func columnsWide32(k int, src *float32, ld int, dst *float32)

//go:noescape
func columnsWide64(k int, src *float64, ld int, dst *float64)
