//go:build !cgo

package ort

// builtWithout is why this build has no runtime; nil where it has.
var builtWithout = &UnavailableError{
	Reason: "this program was built without cgo, so it cannot load ONNX Runtime",
	Remedy: "build it with CGO_ENABLED=1 and a C compiler",
}

func loadLibrary(string) (string, error) { return "", builtWithout }

func openBackend(string, []Value, []Value, Options, string) (backend, error) {
	return nil, builtWithout
}
