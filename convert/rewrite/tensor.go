package rewrite

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Tensor is a small tensor that the result stores beside the source's.
type Tensor struct {
	Name  string
	DType tensor.DType
	Shape []int64
	// Values are its elements, row by row; nil is zeros.
	Values []float64
	// Folds, where not nil, make it of the stored tensor of its name: the heads that
	// they list turned into a basis, other rows as they are.
	Folds []Fold
}

// blockLoaders says who reads a folder with a block.
const blockLoaders = "pecvt alone: stock loaders stop at model_type \"" + family.BlockKey + "\""

// extend makes the result the source with these parts beside its own
// configuration; without any it is the source's stock form again. added are the
// tensors that the source does not store yet; stored ones of the block that
// keep does not name go.
func (r *Rewrite) extend(m *family.Model, e family.Extension, added []Tensor, keep func(name string) bool) {
	r.Layout, r.Family = Native, m.Family
	r.Added = added
	slices.SortFunc(r.Added, func(a, b Tensor) int { return compareNames(a.Name, b.Name) })
	for w := range m.EachWeight() {
		if family.OfBlock(w.Tensor) && !keep(w.Tensor) {
			r.Consumed = append(r.Consumed, w.Tensor)
		}
	}
	slices.Sort(r.Consumed)
	r.ConfigChanged = true
	if e.Rotation == nil && e.Bias == nil {
		r.Config, r.Loaders = m.Config.Object.Clone(), "every loader of the family"
		r.Spelling = m.ModelType
		return
	}
	r.Config, r.Spelling = e.Config(m.File().Object), family.BlockKey
	r.Readers, r.Loaders = loaders.Judge(loaders.Own, r.Family), blockLoaders
}

func compareNames(a, b string) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

// unchanged leaves the source's configuration and tensors as they are.
func (r *Rewrite) unchanged(m *family.Model) {
	r.Kind, r.Layout, r.Spelling, r.Loaders = Exact, Native, m.ModelType, "those of the source"
	r.Config = m.Config.Object.Clone()
}

// extension copies what a model has beside its source's configuration.
func extension(m *family.Model) family.Extension {
	if m.Extension == nil {
		return family.Extension{}
	}
	return family.Extension{Rotation: m.Extension.Rotation, Bias: m.Extension.Bias}
}

func none(string) bool { return false }
