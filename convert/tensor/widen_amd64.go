//go:build !purego

package tensor

import "golang.org/x/sys/cpu"

//go:noescape
func widen(dst *float32, src *byte, n int)

// widened decodes as many numbers of bfloat16 as vectors take, and returns how many.
func widened(dst []float32, src []byte) int {
	n := len(dst) &^ 15
	if n == 0 || !cpu.X86.HasAVX2 {
		return 0
	}
	_ = src[2*n-1]
	widen(&dst[0], &src[0], n)
	return n
}
