package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Table is a list of families, and of those that are known and not read. Package
// families has the one of all that pecvt reads.
type Table struct {
	Rows     []Spec
	Wrappers []Wrapper
	Missing  []Missing
}

// Missing is a family that is known and not read.
type Missing struct {
	// ModelType is config.json's model_type, Of the checkpoints that have it.
	ModelType string `json:"model_type"`
	Of        string `json:"of"`
	// Needs are what it has that is not computed.
	Needs []string `json:"needs"`
}

// Find looks a family up by config.json's model_type.
func (t Table) Find(modelType string) (Spec, error) {
	var names []string
	for _, s := range t.Rows {
		if s.ModelType == modelType {
			return s, nil
		}
		names = append(names, s.ModelType)
	}
	if i := slices.IndexFunc(t.Missing, func(m Missing) bool { return m.ModelType == modelType }); i >= 0 {
		m := t.Missing[i]
		return Spec{}, fmt.Errorf("model_type %q (%s) has %s: %w; use a checkpoint of a family that is read (pecvt families lists them), or add this one (docs/extending.md)", modelType, m.Of, strings.Join(m.Needs, ", "), posenc.ErrUnsupported)
	}
	for _, m := range t.Missing { // so that a slip of a known name is not taken for one of another family
		names = append(names, m.ModelType)
	}
	return Spec{}, fmt.Errorf("model_type %q is unknown%s: %w; use a checkpoint of a family that is read (pecvt families lists them), or add this one (docs/extending.md)", modelType, posenc.Nearest(modelType, names), posenc.ErrUnsupported)
}

// known is [Table.Find] for its error.
func (t Table) known(modelType string) error {
	_, err := t.Find(modelType)
	return err
}
