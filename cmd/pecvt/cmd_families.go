package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
)

// familyTable is what families prints with --json.
type familyTable struct {
	Read     []familyRow      `json:"read"`
	Wrappers []wrapperRow     `json:"wrappers"`
	Missing  []family.Missing `json:"missing"`
}

// wrapperRow is a model with a language model inside that is read.
type wrapperRow struct {
	ModelType string   `json:"model_type"`
	Class     string   `json:"class"`
	Texts     []string `json:"texts"`
}

// familyRow is a family that is read.
type familyRow struct {
	ModelType string `json:"model_type"`
	Class     string `json:"class"`
	Has       string `json:"has"`
	Partial   string `json:"partial_layout"`
}

func newFamilies(a *app) *cobra.Command {
	missing := false
	cmd := &cobra.Command{
		Use:   "families",
		Short: "list the families that are read, and those that are known and not read",
		Long: `families lists the values of model_type in config.json that pecvt reads, with the
class that stock transformers loads them as and what sets each apart from llama, and
then the models of vision and sound whose language model is read, with its model_type.
With --missing it lists the causal language models that transformers 5.24 has beside
them, each with what pecvt does not compute in it.`,
		Example: `  pecvt families
  pecvt families --missing --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := familyTable{Missing: families.Missing()}
			for _, s := range families.Table() {
				t.Read = append(t.Read, familyRow{s.ModelType, s.Architecture, s.Describe(), s.PartialText()})
			}
			for _, w := range families.Wrappers() {
				row := wrapperRow{ModelType: w.ModelType, Class: w.Architecture}
				for _, text := range w.Texts {
					row.Texts = append(row.Texts, text.ModelType)
				}
				t.Wrappers = append(t.Wrappers, row)
			}
			if a.json {
				return printJSON(cmd, t)
			}
			if missing {
				return writeMissing(cmd.OutOrStdout(), t.Missing)
			}
			return writeFamilies(cmd.OutOrStdout(), t.Read, t.Wrappers)
		},
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "list what is known and not read, and why")
	return cmd
}

func writeFamilies(w io.Writer, rows []familyRow, wrappers []wrapperRow) error {
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%-18s %s\n", r.ModelType, r.Has); err != nil {
			return err
		}
	}
	for _, r := range wrappers {
		if _, err := fmt.Fprintf(w, "%-18s the language model inside: %s\n", r.ModelType, strings.Join(r.Texts, ", ")); err != nil {
			return err
		}
	}
	return nil
}

func writeMissing(w io.Writer, rows []family.Missing) error {
	for _, m := range rows {
		if _, err := fmt.Fprintf(w, "%-22s %s: %s\n", m.ModelType, m.Of, strings.Join(m.Needs, ", ")); err != nil {
			return err
		}
	}
	return nil
}
