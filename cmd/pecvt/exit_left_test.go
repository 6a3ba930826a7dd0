package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
)

// What lies at a target after an interruption is not passed over.
func TestInterruptedLeft(t *testing.T) {
	err := fmt.Errorf("convert: %w", &convert.LeftError{Err: context.Canceled, Target: "s3://bucket/out"})
	if text := errorText(exitInterrupted, err); !strings.Contains(text, "s3://bucket/out is left unfinished") || strings.Contains(text, "nothing") {
		t.Error(text)
	}
}
