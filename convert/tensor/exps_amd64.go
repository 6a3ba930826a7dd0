//go:build !purego

package tensor

import "golang.org/x/sys/cpu"

var vectors = cpu.X86.HasAVX2

//go:noescape
func exps32(n int, x *float32, top float32) float64
