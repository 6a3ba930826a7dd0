// Package ort runs ONNX graphs in ONNX Runtime, the outside judge of verify. It
// is the one package that imports onnxruntime_go.
//
// The library is loaded at run time, so a build needs a C compiler but no ONNX
// Runtime. [Locate] looks for it, in this order: an explicit path (the flag
// --ort-lib), the environment variable PECVT_ORT_LIB, the cache that `make ort`
// fills, the system's library folders. A path somebody named is never passed
// over in silence: where it does not load, that is the answer. Whatever keeps
// the runtime from being used is an [UnavailableError], which matches
// [ErrUnavailable] and says what to do.
//
// Built without cgo (CGO_ENABLED=0, cross builds) the package has the same
// interface and every use of the runtime answers "built without cgo".
//
// What onnxruntime_go leaves to its callers is done here, before the library is
// called: the reason why a file is no usable library ([os] and the headers tell
// more than its loader does), the names and types of a graph's inputs and
// outputs without loading the model twice, and the check of every tensor
// against them, so that an error names the model and the input. There is one
// library and one environment per process, and any number of sessions. A
// session may be run by several goroutines at once.
//
// Numbers: float32 on the CUDA provider is computed without TF32, which would
// cost 13 bits. A session on CUDA has the fallback to the CPU provider turned
// off: a node that CUDA cannot run is an error. [NodeRuns] reads a profile to
// show which provider ran each node.
//
// # Stability
//
// Open, Load and Options are meant to stay as long as the binding that they hide.
package ort
