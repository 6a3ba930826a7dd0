package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText prints a report for people: a line per check with its figure and
// its limit, what went wrong and where to look next, the drift where it was
// measured, and last the verdict in one line.
func (r *Report) WriteText(w io.Writer) error {
	return r.writeText(w, func(_, s string) string { return s })
}

// WriteColour is WriteText with ANSI colours, for a terminal.
func (r *Report) WriteColour(w io.Writer) error {
	return r.writeText(w, func(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" })
}

// paint puts a colour (an ANSI code) around text.
type paint func(code, s string) string

// ANSI codes.
const (
	dim    = "2"
	bold   = "1"
	red    = "1;31"
	green  = "32"
	yellow = "33"
)

// colour of a verdict.
func (v Verdict) colour() string {
	switch v {
	case Pass:
		return green
	case Skipped, Info:
		return dim
	case Incomplete, Unavailable, Ambiguous:
		return yellow
	default:
		return red
	}
}

func (r *Report) writeText(w io.Writer, colour paint) error {
	fmt.Fprintf(w, "model      %s (%s), %s", r.Model, r.Family, cmp.Or(r.Encoding, "encoding not declared"))
	if r.Attention != "" {
		fmt.Fprintf(w, ", attention %s", r.Attention)
	}
	if r.InsideOf != "" {
		fmt.Fprintf(w, "\ninside of  %s: all of this is of its language model", r.InsideOf)
	}
	if r.Tokens > 0 { // 0: nothing was run
		fmt.Fprintf(w, "\nprompt     %d tokens", r.Tokens)
	}
	for _, d := range r.Redrawn {
		fmt.Fprintf(w, "\nredrawn    %s", d)
	}
	for _, c := range r.Checks {
		if c.Name == CheckFiles && c.Verdict == Pass && c.Detail != "" {
			fmt.Fprintf(w, "\nnot read   %s", c.Detail)
		}
	}
	if r.Runtime != "" {
		fmt.Fprintf(w, "\nruntime    onnx runtime %s (%s)", r.Runtime, r.RuntimePath)
	}
	fmt.Fprintln(w)
	for _, line := range r.placed() {
		fmt.Fprintf(w, "placement  %s\n", line)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "%s    %s\n", colour(yellow, "warning"), warning)
	}
	fmt.Fprintln(w)
	if err := r.writeChecks(w, colour); err != nil {
		return err
	}
	r.writeDetails(w, colour)
	if err := r.writeDrift(w); err != nil {
		return err
	}
	if r.Bisect != nil {
		if err := r.Bisect.writeText(w, colour); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s    %s\n", colour(bold, "verdict"), colour(r.Verdict.colour(), string(r.Verdict))+strings.TrimPrefix(r.summary(), string(r.Verdict)))
	return err
}

// writeChecks prints the table. The verdict is its last column: what has no
// column after it is not padded, so that colours do not move anything.
func (r *Report) writeChecks(w io.Writer, colour paint) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	levels := slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Level != "" })
	level := func(s string) string {
		if !levels {
			return ""
		}
		return s + "\t"
	}
	fmt.Fprintf(t, "CHECK\tRUNNER\tAGAINST\t%sMAX ABS\tMAX REL\tLIMIT\tKL\tTOP-1\tTIME\tVERDICT\n", level("LEVEL"))
	for _, c := range r.Checks {
		figures := "\t\t\t\t"
		if c.Judged() {
			figures = fmt.Sprintf("%.2e\t%.2e\t%.1e\t\t", float64(c.MaxAbs), float64(c.MaxRel), float64(c.Limit))
		}
		if c.Judged() && c.OfLogits() {
			figures = fmt.Sprintf("%.2e\t%.2e\t%.1e\t%.1e\t%.1f%%", float64(c.MaxAbs), float64(c.MaxRel), float64(c.Limit), float64(c.KL), 100*float64(c.Top1))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s%s\t%.2fs\t%s\n", c.Name, c.Runner, c.Against, level(c.Level), figures, float64(c.Seconds), colour(c.Verdict.colour(), string(c.Verdict)))
	}
	return t.Flush()
}

// writeDetails says of every check that did not pass what was found, and where
// to look.
func (r *Report) writeDetails(w io.Writer, colour paint) {
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
		fmt.Fprintf(w, "%s  %s, %s: %s\n", colour(c.Verdict.colour(), strings.ToUpper(string(c.Verdict))), c.title(), runners, c.Detail)
	}
	said := map[string]bool{}
	for _, c := range r.Checks {
		if c.Blame != "" && !said[c.Blame] {
			said[c.Blame] = true
			fmt.Fprintf(w, "%s  %s, %s: %s\n", colour(bold, "LOOK AT"), c.title(), c.Runner, c.Blame)
		}
	}
}

func (r *Report) writeDrift(w io.Writer) error {
	d := r.Drift
	if d == nil {
		return nil
	}
	fmt.Fprintf(w, "\ndrift from %s (a property of the encoding, not judged): KL %.4g nats, top-1 %.1f%%, largest logit difference %.3g\n", d.Source, float64(d.KL), 100*float64(d.Top1), float64(d.MaxAbs))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "POSITIONS\tKL\tTOP-1\tMAX ABS\t")
	for _, p := range d.Positions {
		fmt.Fprintf(t, "%d-%d\t%.4g\t%.1f%%\t%.3g\t\n", p.From, p.To, float64(p.KL), 100*float64(p.Top1), float64(p.Max))
	}
	return t.Flush()
}

// summary is the verdict in one line, with how many checks came to what.
func (r *Report) summary() string {
	count := map[Verdict]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
	}
	var parts []string
	for _, v := range []struct {
		verdict Verdict
		said    string
	}{{Fail, "failed"}, {Ambiguous, "ambiguous"}, {Incomplete, "incomplete"}, {Unavailable, "unavailable"}, {Pass, "passed"}, {Skipped, "skipped"}} {
		if n := count[v.verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v.said))
		}
	}
	if count[Pass]+count[Fail]+count[Ambiguous] == 0 {
		parts = append(parts, "nothing was judged")
	}
	return fmt.Sprintf("%s: %s (%.1f s)", r.Verdict, strings.Join(parts, ", "), float64(r.Seconds))
}

// alike tells whether two checks are one line of the report: the same thing
// about two runners.
func alike(a, b Check) bool {
	return a.title() == b.title() && a.Verdict == b.Verdict && a.Detail == b.Detail
}

// title is a check's name, with the optimisation level where it has one.
func (c Check) title() string {
	if c.Level != "" {
		return c.Name + " [" + c.Level + "]"
	}
	return c.Name
}

// Judged tells whether a check has a figure and a limit.
func (c Check) Judged() bool { return c.Positions > 0 && c.Limit > 0 }

// figures is the check's figure and limit in one line, "" without them.
func (c Check) figures() string {
	if !c.Judged() {
		return ""
	}
	text := fmt.Sprintf("max rel %.3g (limit %.3g), max abs %.3g, %d positions against %s", float64(c.MaxRel), float64(c.Limit), float64(c.MaxAbs), c.Positions, cmp.Or(c.Against, "ref"))
	if c.OfLogits() {
		text += fmt.Sprintf(", KL %.3g nats, top-1 %.1f%%", float64(c.KL), 100*float64(c.Top1))
	}
	return text
}

// OfLogits tells whether a check compares logits, for which alone KL and top-1
// mean something.
func (c Check) OfLogits() bool { return !c.Other }
