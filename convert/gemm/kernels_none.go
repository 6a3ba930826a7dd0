//go:build (!amd64 && !arm64) || purego || (openblas && cgo)

package gemm

// kinds are none: products are those of gonum or of OpenBLAS.
func kinds() []kind { return nil }
