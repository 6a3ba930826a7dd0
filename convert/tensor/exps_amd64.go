//go:build !purego

package tensor

import "golang.org/x/sys/cpu"

// vectors and wide choose code with the same bits: AVX2's, and of expsWide32 AVX-512's.
var vectors, wide = cpu.X86.HasAVX2, cpu.X86.HasAVX2 && cpu.X86.HasAVX512F

//go:noescape
func exps32(n int, x *float32, top float32) float64

//go:noescape
func expsWide32(n int, x *float32, top float32) float64

//go:noescape
func gates32(n int, up, gate *float32)

//go:noescape
func max32(n int, x *float32) float32

//go:noescape
func scale32(n int, x *float32, f float32)

//go:noescape
func between32(n int, dst, x, y *float32, f float32)

//go:noescape
func dot32(n int, x, y *float32) float64

//go:noescape
func moments32(n int, m, v, grad *float32, beta1, beta2 float32) float64

//go:noescape
func descend32(n int, w, m, v *float32, rate, root, eps float32)
