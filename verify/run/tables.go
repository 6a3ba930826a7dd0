package run

import (
	"reflect"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
)

// Table is a pair of tables of the graph, of cosines and of sines: the rotation
// that they hold, what their names begin with, and the first layer that reads
// them.
type Table struct {
	Layer  int
	Name   string
	Rotary posenc.Rotary
}

// OfHeads tells whether the tables are of queries and keys; the others are of the path
// vectors of a bias.
func (t Table) OfHeads() bool { return !strings.HasPrefix(t.Name, names.RotaryPath) }

// Tables lists the tables of a model's graph, each once: layers that turn alike
// share one. Those of spectra per head are laid out by package headtables.
func Tables(m *family.Model) []Table {
	var list []Table
	seen := map[string][]posenc.Rotary{}
	add := func(layer int, r posenc.Rotary, name string) {
		before := seen[name]
		if slices.ContainsFunc(before, func(o posenc.Rotary) bool { return reflect.DeepEqual(o, r) }) {
			return
		}
		seen[name] = append(before, r)
		list = append(list, Table{layer, names.Nth(name, len(before)), r})
	}
	for i, a := range m.Attentions() {
		if a.Bias != nil && a.Bias.Kind == family.Path {
			add(i, posenc.Rotary{HeadDim: 2, Dim: 2, Spectrum: posenc.Spectrum{InvFreq: []float64{-1}, Gain: 1}}, names.RotaryPath)
		}
		if a.Rotary.Dim > 0 && a.Phase == nil && a.Spectra == nil { // phases have no tables
			add(i, a.Rotary, names.Rotary)
		}
	}
	return list
}
