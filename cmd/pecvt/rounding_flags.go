package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify/eval"
)

// registerRounding registers what a text is for in an export: weights rounded by it.
func (f *tuneFlags) registerRounding(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.bound, "budget", "", "refuse a graph of --weights int4 or int8 that measures worse than `BUDGET` on the end of the text: ppl=5% or kl=0.05")
	flags.BoolVar(&f.overBudget, "over-budget", false, "write the result even where it is over the budget")
	f.textFlags.register(cmd)
	complete(cmd, "budget", []string{"ppl=", "kl="})
}

// checkExport refuses what has no use in an export.
func (f *tuneFlags) checkExport(cmd *cobra.Command, graph onnxops.Options) error {
	if f.given() && graph.Rounds() {
		return f.checkRounding()
	}
	names := append(f.names(), "budget", "over-budget")
	i := slices.IndexFunc(names, cmd.Flags().Changed)
	switch {
	case i < 0:
		return nil
	case graph.Rounds():
		return usagef("--%s has no use without --text or --ids", names[i])
	}
	return usagef("--%s has no use without --weights int4 or int8", names[i])
}

// checkRounding refuses what a rounding by a text cannot use.
func (f *tuneFlags) checkRounding() error {
	if err := f.textFlags.check(); err != nil {
		return err
	}
	if f.runner == eval.RunnerRef {
		return usagef("--runner ref: the reference runs the checkpoint's own weights, and what is measured is the graph of their codes: leave it out")
	}
	return f.budgets("hope")
}

// rounding is what the flags ask for.
func (f *tuneFlags) rounding(model string, graph onnxops.Options, u *ui) *tune.Rounding {
	return &tune.Rounding{Model: model, Scheme: graph.Formed().Scheme(), Head: graph.Formed().Coding.Head, Text: &f.textFlags, MeasureTokens: f.measureTokens, Budget: f.limit, OverBudget: f.overBudget,
		Engine: f.engine(), Progress: u.stage}
}

// writeRounding prints what became of weights that were rounded by a text.
func writeRounding(w io.Writer, r *tune.Rounded) {
	if r != nil {
		fmt.Fprintln(w, r)
	}
}
