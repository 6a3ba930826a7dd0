package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// app is what every verb shares.
type app struct {
	json  bool
	quiet bool
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	report(stderr, a.json, code, err)
	return code
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "pecvt",
		Short: "convert the positional encoding of transformer checkpoints, and prove it",
		Long: `pecvt rewrites the positional encoding of a transformer checkpoint, emits an
ONNX graph of the result and verifies it in ONNX Runtime against two Go
references.

Exit codes: 0 ok, 1 error, 2 usage, 3 mismatch, 4 refused or unsupported,
5 runtime unavailable or verification incomplete, 130 interrupted.`,
		Example: `  pecvt convert --to hope path/to/model
  pecvt verify model-hope`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print the result as JSON")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress on stderr")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, verb := range verbs(a) {
		root.AddCommand(verb)
	}
	return root
}

// verbs is the table of commands.
func verbs(a *app) []*cobra.Command {
	return []*cobra.Command{newInspect(a), newPlan(a), newConvert(a), newExport(a), newVerify(a), newVersion(a)}
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
