package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// compareHeadTables returns the farthest cosine or sine in the tables of spectra per
// head, by its column of all layers, groups and planes, and twice how far it is off: a
// position is turned by a row of each, and both errors may add. missing is the name of a
// table that is not there.
func compareHeadTables(t *headtables.Table, stored map[string]*onnxpb.TensorProto) (worst entry, missing string, err error) {
	values := t.Values()
	for i, path := range headtables.Paths() {
		found := stored[t.Name+path]
		if found == nil {
			return worst, t.Name + path, nil
		}
		want := values[path]
		got, rows := make([]float64, len(want)), len(want)/t.Columns()
		d, raw := found.GetDims(), found.GetRawData()
		if len(d) != 3 || d[0] != int64(rows) || d[1] != int64(t.Groups) || len(raw) != 8*len(want) || tensor.Decode64(got, raw, tensor.F64) != nil {
			return worst, "", fmt.Errorf("table %s has shape %v and %d bytes: expected %d rows of %d heads and %d planes in float64", found.GetName(), d, len(raw), rows, t.Groups, t.Columns()/t.Groups)
		}
		for k, x := range want {
			worst.meet(entry{[]string{"cos", "sin"}[i%2], k / t.Columns() * []int{t.Step, 1}[i/2], k % t.Columns(), got[k], x, 0})
		}
	}
	worst.off *= 2
	return worst, "", nil
}
