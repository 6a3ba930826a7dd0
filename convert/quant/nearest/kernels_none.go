//go:build !amd64 || purego

package nearest

// inUse is nil: the plain Go rounds.
var inUse *kernels

// kinds are the kernels that this machine can run, the fastest first.
func kinds() []*kernels { return nil }
