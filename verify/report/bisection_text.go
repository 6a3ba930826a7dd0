package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeText prints a bisection.
func (b *Bisection) writeText(w io.Writer, colour paint) error {
	fmt.Fprintf(w, "\n%s     %s\n", colour(bold, "bisect"), b.Summary)
	if len(b.Stages) > 0 {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "  STAGE\tRUNNER\tMAX REL\tLIMIT\tFARTHEST\t")
		for _, row := range b.Stages {
			mark := ""
			if !(row.MaxRel <= row.Limit) {
				mark = "first bad"
			}
			fmt.Fprintf(t, "  %s\t%s\t%.2e\t%.1e\t%s\t%s\n", row.Stage, row.Runner, float64(row.MaxRel), float64(row.Limit), row.Value, mark)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if n := b.Node; n != nil {
		fmt.Fprintf(w, "  node     %s\n  op       %s", n.Name, n.Op)
		if len(n.Attributes) > 0 {
			fmt.Fprintf(w, "  %s", strings.Join(n.Attributes, ", "))
		}
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, list := range []struct {
			what   string
			values []ValueFinding
		}{{"input", n.Inputs}, {"output", n.Outputs}} {
			for _, v := range list.values {
				figure := ""
				if v.State != StateNone {
					figure = fmt.Sprintf("%.2e", float64(v.MaxRel))
				}
				fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", list.what, v.Name, v.Kind, figure, v.State, v.Worst)
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(b.Between) > 0 {
		fmt.Fprintf(w, "  between  %s (good)\n", cmp.Or(strings.Join(b.Good, ", "), "the inputs"))
		for _, n := range b.Between {
			fmt.Fprintf(w, "           %s\n", n)
		}
		fmt.Fprintf(w, "           and %s (bad)\n", b.Node.Name)
	}
	for _, t := range b.Tensors {
		place := t.File
		if t.End > 0 {
			place = fmt.Sprintf("%s bytes %d to %d", t.File, t.Begin, t.End)
		}
		if t.Tensor != "" {
			place += fmt.Sprintf(", tensor %s", t.Tensor)
		}
		if t.Note != "" {
			place += ": " + t.Note
		}
		fmt.Fprintf(w, "  tensor   %s: %s\n", t.Name, place)
	}
	if b.Advice != "" {
		fmt.Fprintf(w, "  do       %s\n", b.Advice)
	}
	if b.Extracted != "" {
		fmt.Fprintf(w, "  repro    %s: pecvt verify %s\n", b.Extracted, b.Extracted)
	}
	return nil
}
