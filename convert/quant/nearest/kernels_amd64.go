//go:build !purego

package nearest

import "golang.org/x/sys/cpu"

// inUse are the kernels that round, nil for the plain Go. Which they are does not change
// a bit of what is written.
var inUse *kernels

func init() {
	if list := kinds(); len(list) > 0 {
		inUse = list[0]
	}
}

// kinds are the kernels that this machine can run, the fastest first.
func kinds() []*kernels {
	if !cpu.X86.HasAVX2 {
		return nil
	}
	list := []*kernels{{
		name: "AVX2", span: span256, lower: lower256, narrow: narrow256, slopes: slopes256, multiples: multiples256,
		sieve: sieve256, spread: spread256, squares: squares256, lanes: 4, codes: codes256,
	}}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		list = append([]*kernels{{
			name: "AVX-512", span: span256, lower: lower512, narrow: narrow512, slopes: slopes512, multiples: multiples512,
			sieve: sieve512, spread: spread512, squares: squares512, lanes: 8, codes: codes512,
		}}, list...)
	}
	return list
}

//go:noescape
func span256(w *float32, n int) (lo, hi float32, size uint32)

//go:noescape
func lower256(w *float32, n int, k *work) bool

//go:noescape
func narrow256(n int, k *work) uint32

//go:noescape
func slopes256(w *float32, n int, k *work) bool

//go:noescape
func multiples256(w *float32, n int, k *work) bool

//go:noescape
func sieve256(w *float32, n int, k *work) uint32

//go:noescape
func spread256(w *float32, n int, k *work) bool

//go:noescape
func squares256(n int, k *work, at int)

//go:noescape
func codes256(dst *byte, w *float32, n int, inverse, from float64, top byte)

//go:noescape
func lower512(w *float32, n int, k *work) bool

//go:noescape
func narrow512(n int, k *work) uint32

//go:noescape
func slopes512(w *float32, n int, k *work) bool

//go:noescape
func multiples512(w *float32, n int, k *work) bool

//go:noescape
func sieve512(w *float32, n int, k *work) uint32

//go:noescape
func spread512(w *float32, n int, k *work) bool

//go:noescape
func squares512(n int, k *work, at int)

//go:noescape
func codes512(dst *byte, w *float32, n int, inverse, from float64, top byte)
