// Package headtables lays out the tables of cosines and sines of layers whose key/value
// heads have spectra of their own.
package headtables

import (
	"math/bits"
	"reflect"
	"slices"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
)

// Table are the tables of layers whose key/value heads have spectra of their own, of
// as many groups of heads with as many planes in each. A table of every position would be
// layers times heads as long as that of one spectrum. So there are two of few rows, in
// float64, and position t = Step·a + b turns by the angle of Step·a and then by that of b:
//
//	cos θt = cos θ(Step·a) · cos θb − sin θ(Step·a) · sin θb
//	sin θt = sin θ(Step·a) · cos θb + cos θ(Step·a) · sin θb
//
// rounded once to float32 after the sum. Columns are groups, layers and planes, in this
// order.
type Table struct {
	Layer          int // the first that reads them
	Name           string
	Groups, Planes int
	Layers         []posenc.Rotary // each once, planes of its groups side by side; 1 group where all are equal
	Rows, Step     int             // of the tables of every Step-th position, and how many
}

// mostColumns bounds a table's columns, of which a call makes six numbers of float64 for
// each of its tokens on the way: 0.8 GB for 8192 tokens. A layer's own are never parted.
const mostColumns = 2048

// Of lists those of a model's graph for positions 0 to length − 1.
func Of(m *family.Model, length int) []*Table {
	var list []*Table
	step := stepOf(length)
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 || a.Phase != nil || a.Spectra == nil || len(a.Spectra.InvFreq) != a.KVHeads ||
			slices.ContainsFunc(list, func(t *Table) bool { return t.Index(a) >= 0 }) {
			continue
		}
		r, groups := rotaryOf(a)
		room := func(t *Table) bool {
			return t.Groups == groups && t.Planes == a.Rotary.Planes() && t.Columns()+groups*t.Planes <= mostColumns
		}
		at := slices.IndexFunc(list, room)
		if at < 0 {
			at = len(list)
			list = append(list, &Table{i, names.Nth(names.RotaryHeads, at), groups, a.Rotary.Planes(), nil, (length + step - 1) / step, step})
		}
		list[at].Layers = append(list[at].Layers, r)
	}
	return list
}

// Index is which of the tables' layers turns as a, -1 for none.
func (t *Table) Index(a *family.Attention) int {
	r, groups := rotaryOf(a)
	if groups != t.Groups || a.Rotary.Planes() != t.Planes {
		return -1
	}
	return slices.IndexFunc(t.Layers, func(o posenc.Rotary) bool { return reflect.DeepEqual(o, r) })
}

// Columns is the width of the tables.
func (t *Table) Columns() int { return len(t.Layers) * t.Groups * t.Planes }

// Bytes is the size of the tables together.
func (t *Table) Bytes() int64 { return 2 * 8 * int64(t.Rows+t.Step) * int64(t.Columns()) }

// Paths are the tables' names below Name.
func Paths() []string { return []string{names.FarCos, names.FarSin, names.NearCos, names.NearSin} }

// Values are the numbers of the tables by their paths, (rows, groups, layers · planes);
// those of near positions are without the factors of cosines and sines, which the others
// have.
func (t *Table) Values() map[string][]float64 {
	v := map[string][]float64{}
	bare := slices.Clone(t.Layers)
	for i := range bare {
		bare[i].Gain, bare[i].Removed = 1, nil
	}
	v[names.FarCos], v[names.FarSin] = t.rows(t.Rows, t.Step, t.Layers)
	v[names.NearCos], v[names.NearSin] = t.rows(t.Step, 1, bare)
	return v
}

// rows are the cosines and sines of n positions, every step-th, rows side by side.
func (t *Table) rows(n, step int, layers []posenc.Rotary) (cos, sin []float64) {
	columns := t.Columns()
	cos, sin = make([]float64, n*columns), make([]float64, n*columns)
	var wg sync.WaitGroup
	for from := 0; from < n; from += rowChunk {
		wg.Go(func() {
			for row := from; row < min(from+rowChunk, n); row++ {
				at := row * columns
				for group := range t.Groups {
					for i := range layers {
						for p := range t.Planes {
							cos[at], sin[at] = layers[i].CosSin(group*t.Planes+p, int64(row)*int64(step))
							at++
						}
					}
				}
			}
		})
	}
	wg.Wait()
	return cos, sin
}

// rowChunk is the number of rows that one goroutine computes.
const rowChunk = 16

// CosSin are the cosine and sine of a column at a position; bare is without factors.
func (t *Table) CosSin(column int, pos int64, bare bool) (cos, sin float64) {
	each := len(t.Layers) * t.Planes
	group, layer, plane := column/each, column%each/t.Planes, column%t.Planes
	s := t.Layers[layer].Spectrum
	if bare {
		s.Gain, s.Removed = 1, nil
	}
	return s.CosSin(group*t.Planes+plane, pos)
}

// stepOf is the power of two that makes both kinds of tables of n positions about as long.
func stepOf(n int) int { return 1 << ((bits.Len(uint(n-1)) + 1) / 2) }

// Agree tells whether all heads have one spectrum.
func Agree(spectra [][]float64) bool {
	return !slices.ContainsFunc(spectra, func(s []float64) bool { return !slices.Equal(s, spectra[0]) })
}

// rotaryOf is a layer's rotation with the planes of all groups side by side, those of
// one where all are equal.
func rotaryOf(a *family.Attention) (all posenc.Rotary, groups int) {
	groups = len(a.Spectra.InvFreq)
	if Agree(a.Spectra.InvFreq) {
		groups = 1
	}
	for _, group := range a.Spectra.InvFreq[:groups] {
		all.InvFreq = append(all.InvFreq, group...)
		all.Removed = append(all.Removed, a.Rotary.Removed...)
	}
	all.HeadDim = 2 * len(all.InvFreq)
	all.Dim, all.Gain, all.Pairing = all.HeadDim, a.Rotary.Gain, a.Rotary.Pairing
	return all, groups
}
