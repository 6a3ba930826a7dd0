package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/htmlreport"
)

// verifyOutput is where a verification's result goes beside stdout.
type verifyOutput struct {
	junit, page string
	curves      bool
}

func (o *verifyOutput) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.junit, "junit", "", "write the checks as JUnit XML to `FILE`, for CI")
	cmd.Flags().StringVar(&o.page, "report", "", "write a page with figures to `FILE.html`")
	cmd.Flags().BoolVar(&o.curves, "curves", false, "with --json: the data of the figures too")
}

// check tells before any work what could not be written after it.
func (o *verifyOutput) check() error {
	if o.junit != "" && o.junit == o.page {
		return usagef("--junit and --report name the same file %s", o.page)
	}
	if err := checkOutFile("junit", o.junit); err != nil {
		return err
	}
	return checkOutFile("report", o.page)
}

// wantCurves tells whether the data of figures is needed.
func (o *verifyOutput) wantCurves() bool { return o.page != "" || o.curves }

// write writes the files that were asked for, and takes out of the report what
// was made for the page alone.
func (o *verifyOutput) write(r *verify.Report) error {
	if o.junit != "" {
		if err := writeOutFile(o.junit, r.WriteJUnit); err != nil {
			return err
		}
	}
	if o.page != "" {
		if err := writeOutFile(o.page, func(w io.Writer) error {
			var page bytes.Buffer
			if err := htmlreport.Write(&page, r); err != nil {
				return err
			}
			_, err := io.WriteString(w, words.Say(page.String())) // captions are made with it
			return err
		}); err != nil {
			return err
		}
	}
	if !o.curves {
		r.Curves = nil
	}
	return nil
}

// failed leaves a JUnit file that is red where there is no report, so that a
// step which reads an older file is not taken in by it. An interruption leaves
// nothing.
func (o *verifyOutput) failed(ctx context.Context, dir string, cause error) error {
	if o.junit == "" || ctx.Err() != nil || errors.Is(cause, context.Canceled) {
		return cause
	}
	name := filepath.Base(dir)
	if abs, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(abs)
	}
	err := writeOutFile(o.junit, func(w io.Writer) error {
		return verify.WriteJUnitError(w, name, reworded{cause, words.Say(cause.Error())})
	})
	if err != nil {
		return fmt.Errorf("%w; and %w", cause, err)
	}
	return cause
}

// printReport prints a report to stdout, in colour on a terminal.
func printReport(cmd *cobra.Command, asJSON bool, r *verify.Report) error {
	out := cmd.OutOrStdout()
	switch {
	case asJSON:
		return printJSON(cmd, r)
	case coloured(out, os.Getenv):
		return r.WriteColour(out)
	default:
		return r.WriteText(out)
	}
}

// coloured tells whether to write ANSI colours: on a terminal that knows them,
// unless NO_COLOR is set (no-color.org: to anything but nothing).
func coloured(w io.Writer, env func(string) string) bool {
	if c, ok := w.(*checkedWriter); ok {
		w = c.w
	}
	f, ok := w.(*os.File)
	return ok && env("NO_COLOR") == "" && env("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
