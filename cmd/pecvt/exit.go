package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ort"
)

// Exit codes, as README.md documents them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitMismatch    = 3
	exitUnsupported = 4
	exitIncomplete  = 5
	exitAmbiguous   = 6
	exitBudget      = 7
	exitInterrupted = 130
)

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// verdictError carries an exit code whose message was printed already.
type verdictError struct{ code int }

func (e verdictError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode maps an error to the documented code.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var verdict verdictError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &verdict):
		return verdict.code
	case errors.As(err, &usage), errors.Is(err, rewrite.ErrOptions):
		return exitUsage
	case errors.Is(err, retrofit.ErrBudget):
		return exitBudget
	case errors.Is(err, posenc.ErrUnsupported):
		return exitUnsupported
	case errors.Is(err, ort.ErrUnavailable):
		return exitIncomplete
	default:
		return exitError
	}
}

// report prints an error once, as a line or as JSON, to stderr.
func report(w io.Writer, asJSON bool, code int, err error) {
	text := errorText(code, err)
	if text == "" {
		return
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(map[string]any{"error": text, "exit_code": code})
		return
	}
	fmt.Fprintf(w, "pecvt: %s\n", text)
	if code == exitUsage {
		fmt.Fprintln(w, "run 'pecvt help' for usage")
	}
}

// errorText is an error in the words of the command line, "" where there is none or it
// was printed already.
func errorText(code int, err error) string {
	var verdict verdictError
	if err == nil || errors.As(err, &verdict) {
		return ""
	}
	text := words.Say(err.Error())
	var kept *tune.KeptError
	var left *convert.LeftError
	switch {
	case code == exitInterrupted && errors.As(err, &kept):
		text = fmt.Sprintf("interrupted: what was computed is kept in %s, and the same command goes on from there", kept.Folder)
	case code == exitInterrupted && errors.As(err, &left):
		text = fmt.Sprintf("interrupted: %s is left unfinished, and the same command goes on from there", left.Target)
	case code == exitInterrupted:
		text = "interrupted: nothing is left behind"
	case errors.Is(err, rewrite.ErrOptions): // the option is at fault, not the model it was tried on
		if _, after, found := strings.Cut(text, rewrite.ErrOptions.Error()+": "); found {
			text = after
		}
	}
	return text
}
