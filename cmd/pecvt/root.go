package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc"
)

// app is what every verb shares.
type app struct {
	json  bool
	quiet bool
	// checkOnly has a verb that batch knows end where its command line is found to be
	// good, before any work.
	checkOnly bool
	// threads are those of ONNX Runtime in a verb that batch runs beside others; 0 is
	// its choice.
	threads int
	// part has a verb that batch divides run a part of its work; nil is the whole.
	part *partRun
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{}
	place.Say(func(text string) {
		if !a.quiet {
			fmt.Fprintln(stderr, text)
		}
	})
	defer place.Say(nil)
	code, err := a.execute(ctx, args, stdout, stderr)
	// A mistake before --json is an error of the command line all the same.
	report(stderr, a.json || slices.Contains(args, "--json"), code, err)
	return code
}

// execute is run without what is the process's own: several may run at once. The
// error is not printed yet.
func (a *app) execute(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	out := &checkedWriter{w: stdout}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil {
		err = fmt.Errorf("the result could not be printed: %w", out.err)
	}
	return exitCode(ctx, err), err
}

// checkedWriter remembers that a write failed, so that a result which did not
// arrive is no success.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "pecvt",
		Short: "convert the positional encoding of transformer checkpoints, and prove it",
		Long: `pecvt rewrites the positional encoding of a transformer checkpoint, emits an
ONNX graph of the result and verifies it in ONNX Runtime against two Go
references.

Exit codes: 0 ok, 1 error, 2 usage, 3 mismatch, 4 refused or unsupported,
5 runtime unavailable or verification incomplete, 6 verification ambiguous,
7 over the budget, 130 interrupted.`,
		Example: `  pecvt convert --to hope path/to/model
  pecvt verify model-hope`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("command %q%s", args[0], posenc.Suggest(args[0], verbNames(cmd)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print the result as JSON")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress on stderr")
	root.SetFlagErrorFunc(flagError)
	for _, verb := range verbs(a) {
		root.AddCommand(verb)
	}
	root.SetHelpCommand(newHelp())
	root.CompletionOptions.DisableDefaultCmd = true // ours is in the table
	return root
}

// verbNames lists the commands under cmd.
func verbNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Root().Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	return names
}

// verbs is the table of commands.
func verbs(a *app) []*cobra.Command {
	return []*cobra.Command{newInspect(a), newImport(a), newPlan(a), newConvert(a), newExport(a), newVerify(a), newEval(a), newRun(a), newBench(a), newBatch(a), newLoaders(a), newFamilies(a), newVersion(a), newCompletion(a)}
}

// exactly is cobra.ExactArgs with a usage error that says what is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s: %s is missing", cmd.Name(), names[len(args)])
		}
		if len(args) > len(names) {
			return usagef("%s: unexpected argument %q", cmd.Name(), args[len(names)])
		}
		return nil
	}
}

// printJSON writes a result to stdout.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
