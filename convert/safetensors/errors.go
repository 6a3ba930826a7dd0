package safetensors

import (
	"errors"
	"fmt"
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
}

// Error gives "safetensors: path: tensor "name": reason".
func (e *FormatError) Error() string {
	if e.Tensor == "" {
		return fmt.Sprintf("safetensors: %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("safetensors: %s: tensor %q: %s", e.Path, clip(e.Tensor), e.Reason)
}

// Unwrap gives [ErrFormat].
func (e *FormatError) Unwrap() error { return ErrFormat }

func formatErrorf(path, tensor, format string, args ...any) error {
	return &FormatError{Path: path, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}
