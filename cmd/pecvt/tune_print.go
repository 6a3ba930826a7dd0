package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
)

// writeTuning prints what was selected, calibrated and measured.
func writeTuning(w io.Writer, r *convert.Tuning) {
	if s := r.Selection; s != nil {
		within := "within"
		if n := len(s.Trials); n > 0 && !slices.ContainsFunc(s.Trials, func(t retrofit.Trial) bool { return t.Within && t.Dropped == len(s.Dropped) }) {
			within = "OVER" // the cheapest one, by --over-budget
		}
		fmt.Fprintf(w, "select: %d of %d choices (by %s) %s %s, %.0f%% of what the cut would drop, costs measured on %d x %d tokens\n",
			len(s.Dropped), s.Candidates, s.Granularity, within, s.Budget, 100*s.Share, s.Costs.Sequences, s.Costs.Length)
	}
	if c := r.Calibration; c != nil {
		kept, before, after := 0, 0.0, 0.0
		for _, l := range c.Layers {
			before += l.Before
			if l.Kept {
				kept++
				after += l.After
			} else {
				after += l.Before
			}
		}
		if n := float64(len(c.Layers)); n > 0 {
			fmt.Fprintf(w, "calibrate: %d of %d layers refitted, mean attention KL %.3g to %.3g nats on rows that no step saw\n", kept, len(c.Layers), before/n, after/n)
		} else {
			fmt.Fprintln(w, "calibrate: no layer turns otherwise than before")
		}
	}
	if r.Measured != nil {
		over := ""
		if r.OverBudget {
			over = "; OVER the budget " + r.Budget
		}
		fmt.Fprintf(w, "measured: %s at %d positions%s\n", *r.Measured, r.MeasuredLength, over)
		if r.Reached != nil {
			fmt.Fprintf(w, "reached: %s\n", *r.Reached)
			writeReached(w, r.Reached)
		}
	}
}

// writeReached is a table of perplexity by position, from an eighth of the trained length
// on; --json has the others.
func writeReached(w io.Writer, r *retrofit.Reached) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "POSITIONS\tPPL\tSOURCE\tOF SOURCE\t\n")
	for _, b := range r.Bands {
		if b.To < r.Piece/8 {
			continue
		}
		mark := ""
		if b.From >= r.Piece {
			mark = "*"
		}
		fmt.Fprintf(t, "%s%d-%d\t%.5g\t%.5g\t%.4f\t\n", mark, b.From, b.To, b.PPL, b.SourcePPL, b.OfSource)
	}
	t.Flush()
	fmt.Fprintf(w, "* beyond the trained length of %d: the source reads pieces of it there, and is compared in their second halves\n", r.Piece)
}

// costNotes say what a cut without a text is for. The plan's reason has the
// figures of what it is known to cost.
func costNotes(p *convert.Plan) []string {
	if p.Encoding.To != "hope" || p.Encoding.Kind != rewrite.Lossy {
		return nil
	}
	return []string{"what drops planes without a text is meant for calibration or fine-tuning: --select and --calibrate with --text keep the quality (docs/retrofit.md), docs/fine-tune.md goes on in transformers"}
}
