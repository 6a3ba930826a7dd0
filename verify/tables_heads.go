package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// compareHeadTables returns the farthest cosine or sine in the tables of spectra per
// head, and twice how far it is off: a position is turned by a row of each, and both
// errors may add. Where a number lies is the emitter's layout; what it should be is of
// each layer's own frequencies. missing is the name of a table that is not there.
func compareHeadTables(m *family.Model, t *headtables.Table, stored map[string]*onnxpb.TensorProto) (worst entry, missing string, err error) {
	got := map[string][]float64{}
	for _, path := range headtables.Paths() {
		found := stored[t.Name+path]
		if found == nil {
			return worst, t.Name + path, nil
		}
		rows := t.Rows
		if path == names.NearCos || path == names.NearSin {
			rows = t.Step
		}
		x, d, raw := make([]float64, rows*t.Columns()), found.GetDims(), found.GetRawData()
		if len(d) != 3 || d[0] != int64(rows) || d[1] != int64(t.Groups) || len(raw) != 8*len(x) || tensor.Decode64(x, raw, tensor.F64) != nil {
			return worst, "", fmt.Errorf("table %s has shape %v and %d bytes: expected %d rows of %d heads and %d planes in float64", found.GetName(), d, len(raw), rows, t.Groups, t.Columns()/t.Groups)
		}
		got[path] = x
	}
	for i, a := range m.Attentions() {
		at := -1
		if a.Spectra != nil && a.Phase == nil && a.Rotary.Dim > 0 {
			at = t.Index(a)
		}
		for g := 0; at >= 0 && g < t.Groups; g++ {
			turns := a.Rotary.Spectrum
			turns.InvFreq = a.Spectra.InvFreq[g]
			bare := posenc.Spectrum{InvFreq: turns.InvFreq, Gain: 1} // these turn further what has its factors already
			hold := func(s posenc.Spectrum, cos, sin string, step int) {
				inCos, inSin := fmt.Sprintf("cos (layer %d, key/value head %d)", i, g), fmt.Sprintf("sin (layer %d, key/value head %d)", i, g)
				for row := range len(got[cos]) / t.Columns() {
					for p := range t.Planes {
						k := row*t.Columns() + (g*len(t.Layers)+at)*t.Planes + p
						c, s := s.CosSin(p, int64(row)*int64(step))
						worst.meet(entry{inCos, row * step, p, got[cos][k], c, 0})
						worst.meet(entry{inSin, row * step, p, got[sin][k], s, 0})
					}
				}
			}
			hold(turns, names.FarCos, names.FarSin, t.Step)
			hold(bare, names.NearCos, names.NearSin, 1)
		}
	}
	worst.off *= 2
	return worst, "", nil
}
