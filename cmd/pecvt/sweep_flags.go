package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/tune"
)

// sweepFlags are those of plan --sweep.
type sweepFlags struct {
	textFlags
	sweep, measure bool
	plots          []string
	length         int
}

func (f *sweepFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.sweep, "sweep", false, "list what each plane does and costs, and what each candidate cut of --to hope would")
	flags.BoolVar(&f.measure, "measure", false, "convert to each candidate cut in a temporary folder and measure its drift (needs --text or --ids)")
	flags.StringArrayVar(&f.plots, "plot", nil, "draw the sweep: `FILE`.png or FILE.svg; may be given more than once")
	flags.IntVar(&f.length, "length", 0, "positions at which costs and drift are measured (default: L, at most 8192)")
	f.textFlags.register(cmd)
}

func (f *sweepFlags) check(cmd *cobra.Command, to string) error {
	if !f.sweep {
		for _, name := range append(f.names(), "measure", "plot", "length") {
			if cmd.Flags().Changed(name) {
				return usagef("--%s has no use without --sweep", name)
			}
		}
		return nil
	}
	if to != "hope" {
		return usagef("--sweep lists the cuts of --to hope: --to %s has none", to)
	}
	if !f.given() {
		for _, name := range append(f.names(), "measure", "length") {
			if cmd.Flags().Changed(name) {
				return usagef("--%s needs a text: give --text or --ids", name)
			}
		}
	}
	if cmd.Flags().Changed("length") && f.length < 16 {
		return usagef("--length %d: expected 16 or more", f.length)
	}
	for _, path := range f.plots {
		if err := checkPlot("plot", path); err != nil {
			return err
		}
		if err := checkOutFile("plot", path); err != nil {
			return err
		}
	}
	return f.textFlags.check()
}

// sweep lists what planes and cuts do, and with a text what they cost.
func (a *app) sweep(ctx context.Context, model string, o convert.Options, f *sweepFlags, u *ui) (*tune.SweepResult, error) {
	job := tune.Sweep{Model: model, Options: o, MeasureTokens: f.measureTokens, Measure: f.measure, Length: f.length, Seed: f.seed,
		Engine: f.engine(), Expect: u.expect, Progress: u.stage}
	if f.given() {
		job.Text = &f.textFlags
	}
	s, err := job.Run(ctx)
	if err != nil {
		return nil, inFlags(err)
	}
	if !f.given() {
		s.Notes = append(s.Notes, costNotes(s.Plan)...)
	}
	return s, nil
}
