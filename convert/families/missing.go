package families

import (
	_ "embed"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// missingRows names the causal language models of transformers 5.24 that no row of
// table reads, those that neither turn nor bias by position among them: the model
// type, the checkpoints it is of, and what it has that is not computed, separated by
// tabs. A wrapper is told by its text_config and has no row.
//
//go:embed missing.tsv
var missingRows string

// Missing lists the families that are known and not read.
func Missing() []family.Missing {
	var list []family.Missing
	for line := range strings.Lines(missingRows) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		list = append(list, family.Missing{ModelType: f[0], Of: f[1], Needs: strings.Split(f[2], "; ")})
	}
	return list
}
