package safetensors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// ErrFormat is what errors.Is finds in every error that says a checkpoint's files
// are damaged, contradict each other or are not what they should be, as opposed
// to an error of the system.
var ErrFormat = errors.New("not a valid safetensors checkpoint")

// FormatError says what is wrong with a file, and where.
type FormatError struct {
	Path   string // the file
	Tensor string // the tensor, or "" where the error is not about one
	Reason string // what was found, what was expected, what to do
	// kind is nil for [ErrFormat].
	kind error
}

// Error gives "safetensors: path: tensor "name": reason".
func (e *FormatError) Error() string {
	if e.Tensor == "" {
		return fmt.Sprintf("safetensors: %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("safetensors: %s: tensor %q: %s", e.Path, clip(e.Tensor), e.Reason)
}

// Unwrap gives [ErrFormat], or [posenc.ErrUnsupported] where the file is valid and
// holds what is not read.
func (e *FormatError) Unwrap() error { return cmp.Or(e.kind, ErrFormat) }

// unread are the types of the format (safetensors 0.6 and later) that only
// quantised weights have: values of 4 and 6 bits and the forms of 8 bits without a negative zero.
var unread = []string{"F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}

// checkRead refuses a type that is valid and not read.
func checkRead(dtype string) error {
	if !slices.Contains(unread, dtype) {
		return nil
	}
	return fmt.Errorf("%s, which quantised weights or their scales have: quantised: %w; use the unquantised checkpoint that it was made from, or make plain weights of it first (model.dequantize() in transformers, where it has that method)", dtype, posenc.ErrUnsupported)
}

func formatErrorf(path, tensor, format string, args ...any) error {
	return &FormatError{Path: path, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}
