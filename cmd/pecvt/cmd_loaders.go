package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert/loaders"
)

// loaderTable is what loaders prints with --json.
type loaderTable struct {
	Loaders []loaders.Loader `json:"loaders"`
	Forms   []loaders.Form   `json:"forms"`
	Rows    []loaders.Row    `json:"rows"`
}

func newLoaders(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "loaders [LOADER…]",
		Short: "show what other programs compute from what pecvt writes",
		Long: `loaders prints, for each program that reads what pecvt writes and each form of it
(a rope type, the partial layout, a form of graph), whether it computes the
encoding, computes something else in silence, or refuses, and whether that was
run or read in its source. What no row covers is not known.

plan, convert and inspect say the same of one result.`,
		Example: `  pecvt loaders
  pecvt loaders llama.cpp ollama --json`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if _, err := loaders.Find(name); err != nil {
					return usagef("%v", err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			t := loaderTable{Forms: loaders.Forms(), Rows: []loaders.Row{}}
			asked := func(name string) bool { return len(args) == 0 || slices.Contains(args, name) }
			for _, l := range loaders.Loaders() {
				if asked(l.Name) {
					t.Loaders = append(t.Loaders, l)
				}
			}
			for _, r := range loaders.Rows() {
				if asked(r.Loader) {
					t.Rows = append(t.Rows, r)
				}
			}
			if a.json {
				return printJSON(cmd, t)
			}
			return writeLoaders(cmd.OutOrStdout(), t)
		},
	}
	var names []string
	for _, l := range loaders.Loaders() {
		names = append(names, l.Name)
	}
	cmd.ValidArgs = names
	return cmd
}

func writeLoaders(w io.Writer, t loaderTable) error {
	for i, l := range t.Loaders {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "%s: %s, %s\n", l.Name, l.About, l.Version); err != nil {
			return err
		}
		for _, r := range t.Rows {
			if r.Loader != l.Name || r.Outcome == loaders.Unknown {
				continue
			}
			fmt.Fprintf(w, "  %-17s %s", r.Outcome, strings.Join(r.Forms, ", "))
			if r.Families != nil {
				fmt.Fprintf(w, " of %s", strings.Join(r.Families, ", "))
			}
			fmt.Fprintf(w, " (%s)", r.How)
			if r.Note != "" {
				fmt.Fprintf(w, ": %s", r.Note)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

// outcomeWords begin a line about loaders.
var outcomeWords = map[loaders.Outcome]string{
	loaders.Right: "read by", loaders.Wrong: "computed wrong in silence by", loaders.Refused: "refused by", loaders.Unknown: "not known of",
}

// writeReaders prints what becomes of a result: all of it, or only what goes
// wrong.
func writeReaders(w io.Writer, list []loaders.Verdict, all bool) {
	heads := map[loaders.Outcome]string{loaders.Right: "read by    ", loaders.Wrong: "wrong in   ", loaders.Refused: "refused by ", loaders.Unknown: "unknown to "}
	for _, l := range loaders.Lines(list) {
		if all || l.Outcome == loaders.Wrong || l.Outcome == loaders.Refused {
			fmt.Fprintf(w, "%s%s\n", heads[l.Outcome], l.Text)
		}
	}
}
