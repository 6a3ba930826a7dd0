package verify

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText prints a report for people: a line per check with its figure and
// its limit, the drift where it was measured, and the verdict.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "model      %s (%s), %s", r.Model, r.Family, or(r.Encoding, "encoding not declared"))
	if r.Attention != "" {
		fmt.Fprintf(w, ", attention %s", r.Attention)
	}
	fmt.Fprintf(w, "\nprompt     %d tokens", r.Tokens)
	if r.Runtime != "" {
		fmt.Fprintf(w, "\nruntime    onnx runtime %s (%s)", r.Runtime, r.RuntimePath)
	}
	fmt.Fprintln(w)
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning    %s\n", warning)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tRUNNER\tAGAINST\tMAX ABS\tMAX REL\tLIMIT\tKL\tTOP-1\tTIME\tVERDICT")
	for _, c := range r.Checks {
		figures := "\t\t\t\t"
		if c.Positions > 0 && c.Limit > 0 {
			figures = fmt.Sprintf("%.2e\t%.2e\t%.1e\t\t", float64(c.MaxAbs), float64(c.MaxRel), float64(c.Limit))
		}
		if c.Positions > 0 && c.Limit > 0 && c.ofLogits() {
			figures = fmt.Sprintf("%.2e\t%.2e\t%.1e\t%.1e\t%.1f%%", float64(c.MaxAbs), float64(c.MaxRel), float64(c.Limit), float64(c.KL), 100*float64(c.Top1))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2fs\t%s\n", c.Name, c.Runner, c.Against, figures, float64(c.Seconds), c.Verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, c := range r.Checks {
		if c.Detail == "" || c.Verdict == Pass || c.Verdict == Info || i > 0 && alike(r.Checks[i-1], c) {
			continue
		}
		runners := c.Runner
		for _, next := range r.Checks[i+1:] {
			if !alike(c, next) {
				break
			}
			runners += ", " + next.Runner
		}
		fmt.Fprintf(w, "%s  %s, %s: %s\n", strings.ToUpper(string(c.Verdict)), c.Name, runners, c.Detail)
	}
	said := map[string]bool{}
	for _, c := range r.Checks {
		if c.Blame != "" && !said[c.Blame] {
			said[c.Blame] = true
			fmt.Fprintf(w, "LOOK AT  %s, %s: %s\n", c.Name, c.Runner, c.Blame)
		}
	}
	if d := r.Drift; d != nil {
		fmt.Fprintf(w, "\ndrift from %s (a property of the encoding, not judged): KL %.4g nats, top-1 %.1f%%, largest logit difference %.3g\n", d.Source, float64(d.KL), 100*float64(d.Top1), float64(d.MaxAbs))
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "POSITIONS\tKL\tTOP-1\tMAX ABS\t")
		for _, p := range d.Positions {
			fmt.Fprintf(t, "%d-%d\t%.4g\t%.1f%%\t%.3g\t\n", p.From, p.To, float64(p.KL), 100*float64(p.Top1), float64(p.Max))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nverdict    %s (%.1f s)\n", r.Verdict, float64(r.Seconds))
	return err
}

// alike tells whether two checks are one line of the report: the same thing
// about two runners.
func alike(a, b Check) bool {
	return a.Name == b.Name && a.Verdict == b.Verdict && a.Detail == b.Detail
}

// ofLogits tells whether a check compares logits, for which alone KL and top-1
// mean something.
func (c Check) ofLogits() bool {
	return c.Name != "tables" && c.Name != "window-size" && !strings.HasPrefix(c.Name, "golden-hidden")
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
