package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
)

// tuneFlags choose and fit what a lossy conversion keeps.
type tuneFlags struct {
	textFlags
	selecting, granularity, bound, picture string
	calibrate, overBudget                  bool
	fit                                    string
	selectLength, calibLength, calibTokens int
	steps                                  int
	repeating                              string
	copies                                 float64 // of repeating, a share

	budget *retrofit.Budget // of --select
	limit  *retrofit.Budget // of --budget, or nil
	by     retrofit.Granularity
}

func (f *tuneFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.selecting, "select", "", "drop only planes that cost little, as many as `BUDGET` allows: ppl=1%, kl=0.01 (nats) or planes=75% (needs --text or --ids)")
	flags.StringVar(&f.granularity, "granularity", string(retrofit.ByGroup), "what --select drops together: a plane in one key/value head (group), in a layer, or in the whole model (stock spelling)")
	flags.IntVar(&f.selectLength, "select-length", 0, "positions at which costs are measured, and the budget unless --calib-length is longer (default: L, at most 8192)")
	flags.BoolVar(&f.calibrate, "calibrate", false, "refit W_q and W_k so that attention is the source's own again (needs --text or --ids)")
	flags.IntVar(&f.calibLength, "calib-length", 0, "longest sequences of the calibration; a quarter and a sixteenth of it are mixed in (default: L, at most 8192)")
	flags.IntVar(&f.calibTokens, "calib-tokens", 0, "tokens that the calibration reads, about, and at least one sequence of each length (default: 16384, at least 8 times --calib-length, above 4096 positions 16 times; never what is measured on)")
	flags.StringVar(&f.repeating, "calib-copies", "25%", "`SHARE` of the calibration's tokens that random strings take which stand twice, near and far, so that heads which copy are kept; 0% for the text alone")
	flags.StringVar(&f.fit, "fit", "", "what --calibrate fits: W_q and W_k number by number (wqk), or with them an orthogonal basis for each key/value head, folded in the end (basis) (default: basis, and wqk where norms or bounds of queries and keys stand before the rotation)")
	flags.IntVar(&f.steps, "steps", 0, "steps of each layer (default: 96, above 4096 positions 3000); layers that copy have twice as many")
	flags.StringVar(&f.bound, "budget", "", "refuse a result that measures worse than `BUDGET`: ppl=5% or kl=0.05 (default: the one of --select; else "+tune.DefaultBudget.String()+" with --calibrate)")
	flags.BoolVar(&f.overBudget, "over-budget", false, "write the result even where it is over the budget")
	flags.StringVar(&f.picture, "picture", "", "draw which planes --select drops where, and with --extend perplexity by position: `FILE`.png or FILE.svg")
	f.textFlags.register(cmd)
	complete(cmd, "select", []string{"ppl=", "kl=", "planes="})
	complete(cmd, "budget", []string{"ppl=", "kl="})
	complete(cmd, "fit", retrofit.Fits())
	complete(cmd, "granularity", []string{string(retrofit.ByGroup), string(retrofit.ByLayer), string(retrofit.ByModel)})
}

// wanted reports whether there is anything to do.
func (f *tuneFlags) wanted() bool { return f.selecting != "" || f.calibrate }

// job is what the flags ask for.
func (f *tuneFlags) job(model string, o convert.Options, force bool) tune.Job {
	j := tune.Job{Model: model, Options: o, Budget: f.limit, OverBudget: f.overBudget, Text: &f.textFlags, MeasureTokens: f.measureTokens,
		Seed: f.seed, Engine: f.engine(), Force: force}
	if f.budget != nil {
		j.Select = &tune.Select{Budget: *f.budget, By: f.by, Length: f.selectLength}
	}
	if f.calibrate {
		j.Calibrate = &tune.Calibrate{Length: f.calibLength, Tokens: f.calibTokens, Steps: f.steps, Fit: f.fit, Copies: f.copies}
		if f.copies == 0 {
			j.Calibrate.Copies = tune.NoCopies
		}
	}
	return j
}

// check refuses what cannot be meant and reads the budgets.
func (f *tuneFlags) check(cmd *cobra.Command, o convert.Options, graph onnxops.Options, noONNX bool) error {
	changed := func(names ...string) string {
		i := slices.IndexFunc(names, func(n string) bool { return cmd.Flags().Changed(n) })
		if i < 0 {
			return ""
		}
		return names[i]
	}
	if changed("select") != "" && f.selecting == "" {
		return usagef("--select is empty: expected ppl=1%%, kl=0.01 or planes=75%%")
	}
	if f.selecting == "" {
		if name := changed("granularity", "select-length"); name != "" {
			return usagef("--%s has no use without --select", name)
		}
		if changed("picture") != "" && (!f.calibrate || o.Extend == 0) {
			return usagef("--picture has no use without --select, or --calibrate with --extend")
		}
	}
	if !f.calibrate {
		if name := changed("calib-length", "calib-tokens", "calib-copies", "fit", "steps"); name != "" {
			return usagef("--%s has no use without --calibrate", name)
		}
		if changed("extend") != "" && (f.selecting == "" || o.Scale.Kind == "") {
			return usagef("--extend has no use without --calibrate, or --select with --scale")
		}
	}
	if !f.wanted() && graph.Rounds() && f.given() && !noONNX {
		return f.checkRounding()
	}
	if !f.wanted() {
		if name := changed(append(f.names(), "budget", "over-budget")...); name != "" {
			return usagef("--%s has no use without --select, --calibrate, or a text with --weights int4 or int8", name)
		}
		return nil
	}
	if !f.given() {
		return usagef("--text or --ids is missing: --select and --calibrate read the model's own activations on a text")
	}
	if err := f.textFlags.check(); err != nil {
		return err
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{{"select-length", f.selectLength, 16}, {"calib-length", f.calibLength, 16}, {"calib-tokens", f.calibTokens, 16}, {"steps", f.steps, 1}} {
		if cmd.Flags().Changed(n.name) && n.value < n.min {
			return usagef("--%s %d: expected %d or more", n.name, n.value, n.min)
		}
	}
	if cmd.Flags().Changed("fit") && !slices.Contains(retrofit.Fits(), f.fit) {
		return usagef("--fit %s: expected %s%s", f.fit, strings.Join(retrofit.Fits(), " or "), posenc.Nearest(f.fit, retrofit.Fits()))
	}
	if f.steps > tune.MostSteps {
		return usagef("--steps %d: at most %d; a fit of thousands of steps gains little on the one before", f.steps, tune.MostSteps)
	}
	var err error
	if f.copies, err = retrofit.ParseShare(f.repeating); err != nil {
		return usagef("--calib-copies: %v", err)
	}
	if f.picture != "" {
		if err := checkPlot("picture", f.picture); err != nil {
			return err
		}
		if err := checkOutFile("picture", f.picture); err != nil {
			return err
		}
	}
	if err := f.budgets(o.To); err != nil {
		return err
	}
	if graph.Rounds() && !noONNX {
		if err := f.checkRounding(); err != nil {
			return err
		}
	}
	return f.holds(o, graph, noONNX)
}

// holds refuses what cannot hold the spectra that --select gives.
func (f *tuneFlags) holds(o convert.Options, graph onnxops.Options, noONNX bool) error {
	if f.budget == nil {
		return nil
	}
	if f.by == retrofit.ByModel {
		return nil
	}
	const instead = "--select by %s gives spectra of their own to layers and key/value heads: %s; leave it out, or give --granularity model"
	switch {
	case o.Layout == rewrite.Partial:
		return usagef("--layout %s: "+instead, o.Layout, f.by, "a partial rotary dimension has one for all")
	case o.Spelling != rewrite.Auto:
		return usagef("--spelling %s: "+instead, o.Spelling, f.by, "a rope type has one for all")
	case !noONNX && graph.Attention == onnxops.AttentionORT:
		return usagef("--attention ort: "+instead, f.by, "GroupQueryAttention has one table for all heads")
	}
	return nil
}

func (f *tuneFlags) budgets(to string) error {
	if f.selecting != "" {
		if to != "hope" {
			return usagef("--select chooses among the planes of --to hope: --to %s has no choice", to)
		}
		b, err := retrofit.ParseBudget(f.selecting)
		if err != nil {
			return usagef("--select: %v", err)
		}
		f.budget = &b
		if f.by, err = retrofit.ParseGranularity(f.granularity); err != nil {
			return usagef("--granularity: %v", err)
		}
	}
	if f.bound == "" {
		return nil
	}
	b, err := retrofit.ParseBudget(f.bound)
	if err == nil && b.Kind == retrofit.BudgetPlanes {
		return usagef("--budget %s bounds what is measured: expected ppl=5%% or kl=0.05", f.bound)
	}
	if err != nil {
		return usagef("--budget: %v", strings.TrimSpace(err.Error()))
	}
	f.limit = &b
	return nil
}
