package tune

import (
	"errors"
	"testing"
)

// TestMessages: fields are said in their own names or in the caller's.
func TestMessages(t *testing.T) {
	cause := errors.New("too long")
	err := fieldError("%s %d: %w; see %s", FieldSweepLength, 9, cause, FieldCut)
	if got, want := err.Error(), "Sweep.Length 9: too long; see Options.Cut"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	var field *FieldError
	if !errors.As(err, &field) {
		t.Fatal("no FieldError")
	}
	if got, want := field.Naming(func(f Field) string { return "<" + string(f) + ">" }), "<Sweep.Length> 9: too long; see <Options.Cut>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
