package family_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Experts in one tensor (2, 3, 8), columns of two projections in turns: element
// (e, i, j) is 100e + 10i + j.
func TestColumns(t *testing.T) {
	const experts, in, columns = 2, 3, 8
	for _, d := range []tensor.DType{tensor.F64, tensor.F32, tensor.BF16, tensor.F16} {
		var values []float64
		for e := range experts {
			for i := range in {
				for j := range columns {
					values = append(values, float64(100*e+10*i+j))
				}
			}
		}
		one := storetest.Tensor{Shape: []int64{experts, in, columns}, DType: tensor.F64, Data: make([]byte, 8*len(values))}
		if err := tensor.Encode64(one.Data, values, tensor.F64); err != nil {
			t.Fatal(err)
		}
		if err := one.Encode(d); err != nil {
			t.Fatal(err)
		}
		src, err := storetest.New("memory", fstest.MapFS{}, map[string]storetest.Tensor{"w": one})
		if err != nil {
			t.Fatal(err)
		}
		w := family.Weight{Tensor: "w", Stored: one.Shape, Rows: []family.Range{{Begin: in, End: 2 * in}}, Shape: []int64{4, in}}
		for name, c := range map[string]struct {
			columns family.Columns
			want    func(row, column int64) float64
		}{
			"the second of two, across": {family.Columns{Begin: 1, Step: 2, Count: 4, Across: true}, func(o, i int64) float64 { return float64(100 + 10*i + 2*o + 1) }},
			"the last half, across":     {family.Columns{Begin: 4, Step: 1, Count: 4, Across: true}, func(o, i int64) float64 { return float64(100 + 10*i + 4 + o) }},
			"the first of two":          {family.Columns{Begin: 0, Step: 2, Count: 4}, func(i, j int64) float64 { return float64(100 + 10*i + 2*j) }},
		} {
			w.Columns = &c.columns
			w.Shape = []int64{in, 4}
			if c.columns.Across {
				w.Shape = []int64{4, in}
			}
			var want []float64
			for row := range w.Shape[0] {
				for column := range w.Shape[1] {
					v := c.want(row, column)
					want = append(want, v)
					if at := w.StoredAt(row, column); values[at[0]*columns+at[1]] != v {
						t.Errorf("%s: element (%d, %d) is stored at %v, which is %v: want %v", name, row, column, at, values[at[0]*columns+at[1]], v)
					}
				}
			}
			if got, err := w.Float64(src); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s of %s: %v, %v: want %v", name, d, got, err, want)
			}
		}
		w.Columns = &family.Columns{Begin: 1, Step: 2, Count: 5}
		if _, err := w.Float64(src); err == nil {
			t.Errorf("%s: a column that the rows do not have: no error", d)
		}
	}
}
