package tune

import (
	"errors"
	"fmt"
)

// Field names an option of a Job or a Sweep in a message.
type Field string

// The fields that messages speak of.
const (
	FieldTo              Field = "Options.To"
	FieldCut             Field = "Options.Cut"
	FieldSelect          Field = "Select"
	FieldSelectLength    Field = "Select.Length"
	FieldCalibrate       Field = "Calibrate"
	FieldCalibrateLength Field = "Calibrate.Length"
	FieldCalibrateTokens Field = "Calibrate.Tokens"
	FieldSweepLength     Field = "Sweep.Length"
)

// Message is a sentence that may speak of fields.
type Message struct {
	format string
	args   []any
}

// String says it with the fields' own names.
func (m Message) String() string { return m.err(m.args).Error() }

// err formats with %w too.
func (m Message) err(args []any) error { return fmt.Errorf(m.format, args...) }

// Naming says it with names of the caller's.
func (m Message) Naming(name func(Field) string) string {
	args := make([]any, len(m.args))
	for i, a := range m.args {
		if f, ok := a.(Field); ok {
			a = name(f)
		}
		args[i] = a
	}
	return m.err(args).Error()
}

// FieldError is an error whose message speaks of fields.
type FieldError struct {
	Message
	cause error
}

// Error says it with the fields' own names.
func (e *FieldError) Error() string { return e.String() }

// Unwrap returns the cause, nil where the message is all there is.
func (e *FieldError) Unwrap() error { return e.cause }

// fieldError makes one of a format for fmt.Errorf whose args may be Fields.
func fieldError(format string, args ...any) error {
	m := Message{format, args}
	return &FieldError{m, errors.Unwrap(m.err(args))}
}
