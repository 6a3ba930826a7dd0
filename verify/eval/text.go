package eval

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// WriteText prints a report for people: a line per model and length, the ranges
// of positions at the longest length, and the copy probe.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "LENGTH\tMODEL\tN\tPPL\t95%\tLAST\tPPL LAST\tRATIO\t95%\tRATIO LAST\tKL\tTOP-1\t")
	for _, x := range r.Results {
		length := fmt.Sprint(x.Length)
		if x.Beyond {
			length = "*" + length
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", length, x.Model, x.Sequences,
			figure(x.PPL, "%.4g"), between(x.PPLCI, "%.4g"), x.Last, figure(x.PPLLast, "%.4g"), ratio(x.Ratio), between(x.RatioCI, "%.4g"),
			ratio(x.RatioLast), figure(x.KL, "%.3g"), percent(x.Top1))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range r.Results {
		if x.Beyond {
			fmt.Fprintln(w, "* beyond the trained length of a model")
			break
		}
	}
	if err := r.writeBuckets(w); err != nil {
		return err
	}
	if err := r.writeBands(w); err != nil {
		return err
	}
	if err := r.writeCopies(w); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note  %s\n", n)
	}
	_, err := fmt.Fprintf(w, "\n%d tokens of text, %s, %.1f s\n", r.TokensRead, r.runner(), float64(r.Seconds))
	return err
}

func (r *Report) runner() string {
	if r.Runtime == "" {
		return "Go reference (float32)"
	}
	return "onnx runtime " + r.Runtime
}

// longest are the results of the longest length.
func (r *Report) longest() []*Result {
	n := r.Results[len(r.Results)-1].Length
	var out []*Result
	for _, x := range r.Results {
		if x.Length == n {
			out = append(out, x)
		}
	}
	return out
}

func (r *Report) writeBuckets(w io.Writer) error {
	list := r.longest()
	fmt.Fprintf(w, "\nby position, length %d\n", list[0].Length)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "POSITIONS\t")
	for _, x := range list {
		fmt.Fprintf(t, "PPL %s\t", x.Model)
		if !math.IsNaN(float64(x.KL)) {
			fmt.Fprint(t, "KL\tTOP-1\t")
		}
	}
	fmt.Fprintln(t)
	for b, first := range list[0].Buckets {
		fmt.Fprintf(t, "%d-%d\t", first.From, first.To)
		for _, x := range list {
			fmt.Fprintf(t, "%s\t", figure(x.Buckets[b].PPL, "%.4g"))
			if !math.IsNaN(float64(x.KL)) {
				fmt.Fprintf(t, "%s\t%s\t", figure(x.Buckets[b].KL, "%.3g"), percent(x.Buckets[b].Top1))
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func figure(x Number, format string) string {
	if math.IsNaN(float64(x)) {
		return ""
	}
	return fmt.Sprintf(format, float64(x))
}

// between is an interval's ends.
func between(i Interval, format string) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(format+"–"+format, float64(i[0]), float64(i[1]))
}

// ratio shows a ratio near 1 to a hundredth of a percent.
func ratio(x Number) string {
	if x < 10 {
		return figure(x, "%.4f")
	}
	return figure(x, "%.4g")
}

func percent(x Number) string {
	if math.IsNaN(float64(x)) {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*float64(x))
}
