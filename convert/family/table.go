package family

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// Table is a list of families; package families has the one of all that pecvt
// reads.
type Table []Spec

// Find looks a family up by config.json's model_type.
func (t Table) Find(modelType string) (Spec, error) {
	var names []string
	for _, s := range t {
		if s.ModelType == modelType {
			return s, nil
		}
		names = append(names, s.ModelType)
	}
	return Spec{}, fmt.Errorf("model_type %q%s: %w; a checkpoint of one of these is read, and docs/extending.md tells how a family is added", modelType, posenc.Suggest(modelType, names), posenc.ErrUnsupported)
}

// known is [Table.Find] for its error.
func (t Table) known(modelType string) error {
	_, err := t.Find(modelType)
	return err
}
