//go:build openblas && cgo

package gemm

/*
#cgo LDFLAGS: -lopenblas
extern void openblas_set_num_threads(int);
extern char *openblas_get_config(void);
*/
import "C"

import (
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/netlib/blas/netlib"
)

// init gives every product of the program to OpenBLAS. Callers divide their work
// among the processors themselves, so that OpenBLAS is not to do it again. Go
// has no assembly beside cgo in a package: our own kernels are not built in then.
func init() {
	C.openblas_set_num_threads(1)
	blas32.Use(netlib.Implementation{})
	blas64.Use(netlib.Implementation{})
	library = C.GoString(C.openblas_get_config())
	if library == "" {
		library = "OpenBLAS"
	}
	native = true
}
