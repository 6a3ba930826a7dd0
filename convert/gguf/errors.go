package gguf

import (
	"errors"
	"fmt"
)

// ErrFormat is what errors.Is finds in every error that says a file is damaged or
// no GGUF file, as opposed to an error of the system or something that is not
// supported.
var ErrFormat = errors.New("not a valid GGUF file")

// FormatError says what is wrong with a file, and where.
type FormatError struct {
	Path   string // the file
	Where  string // `key "general.alignment"`, `tensor "blk.0.attn_q.weight"`, or ""
	Reason string // what was found, what was expected, what to do
}

// Error gives "gguf: path: where: reason".
func (e *FormatError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("gguf: %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("gguf: %s: %s: %s", e.Path, e.Where, e.Reason)
}

// Unwrap gives [ErrFormat].
func (e *FormatError) Unwrap() error { return ErrFormat }

func formatErrorf(path, where, format string, args ...any) error {
	return &FormatError{Path: path, Where: where, Reason: fmt.Sprintf(format, args...)}
}

func ofKey(key string) string     { return fmt.Sprintf("key %q", clip(key)) }
func ofTensor(name string) string { return fmt.Sprintf("tensor %q", clip(name)) }

// clip shortens what a file calls something, for messages.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
