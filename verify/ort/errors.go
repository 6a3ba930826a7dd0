package ort

import (
	"errors"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
)

// MinVersion is the oldest ONNX Runtime that can be used: a library answers
// only for the API versions up to its own, and onnxruntime_go asks for 26.
const MinVersion = "1.26"

const howToGet = "run `make ort` to fetch it, or name a library of ONNX Runtime " +
	MinVersion + " or later with " + hint.ORTLibrary + " or " + EnvLibrary

// ErrUnavailable is matched by every error that says ONNX Runtime, or the
// execution provider asked for, cannot be used on this machine.
var ErrUnavailable = errors.New("onnx runtime is unavailable")

// UnavailableError says why ONNX Runtime cannot be used, and how to get it.
type UnavailableError struct {
	Reason   string // what was found, lower case
	Remedy   string // what to do about it
	Explicit bool   // the library was named by a flag or the environment
	Err      error  // the cause, nil where Reason says it all
}

func (e *UnavailableError) Error() string {
	var b strings.Builder
	b.WriteString("ort: " + e.Reason)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Is makes every UnavailableError match [ErrUnavailable].
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }
