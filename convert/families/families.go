// Package families is the table of the families that pecvt reads: one file and
// one row of it for each. What a row may say is package family's.
package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
)

// Table returns the families, in the order documents list them.
func Table() []family.Spec {
	rows := slices.Clone(table)
	for i := range rows {
		rows[i].Spelled = append(slices.Clone(rows[i].Spelled), held[rows[i].ModelType]...)
	}
	return rows
}

// all is the table with what is known beside it.
func all() family.Table { return family.Table{Rows: Table(), Wrappers: Wrappers(), Missing: Missing()} }

// Find looks a family up by config.json's model_type.
func Find(modelType string) (family.Spec, error) { return all().Find(modelType) }

// Load reads the model that a store of tensors and the configuration beside it
// describe; see [family.Table.Load].
func Load(s store.Store) (*family.Model, error) { return all().Load(s, nil) }

// LoadIgnoring is [Load] with keys of the configuration that count as absent.
func LoadIgnoring(s store.Store, keys []string) (*family.Model, error) { return all().Load(s, keys) }

// FromConfig builds the model that a configuration describes; see
// [family.Table.FromConfig].
func FromConfig(c *family.Config) (*family.Model, error) { return all().FromConfig(c) }
