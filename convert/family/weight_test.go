package family_test

import (
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

func TestStoredRow(t *testing.T) {
	w := family.Weight{Rows: []family.Range{{Begin: 10, End: 12}, {Begin: 0, End: 3}}}
	for row, want := range []int64{10, 11, 0, 1, 2} {
		if got := w.StoredRow(int64(row)); got != want {
			t.Errorf("row %d is stored row %d, want %d", row, got, want)
		}
	}
	w.Rows = nil
	if got := w.StoredRow(7); got != 7 {
		t.Errorf("row 7 of a whole tensor is stored row %d", got)
	}
}

func TestBetween(t *testing.T) {
	w := family.Weight{Shape: []int64{5, 4}, Rows: []family.Range{{Begin: 10, End: 12}, {Begin: 0, End: 3}}}
	for from := range int64(5) {
		for to := from; to <= 5; to++ {
			part := w.Between(from, to)
			if part.Shape[0] != to-from || part.Shape[1] != 4 {
				t.Errorf("rows %d to %d have the shape %v", from, to, part.Shape)
			}
			var got []int64
			for _, r := range part.Rows {
				for i := r.Begin; i < r.End; i++ {
					got = append(got, i)
				}
			}
			if want := []int64{10, 11, 0, 1, 2}[from:to]; !slices.Equal(got, want) {
				t.Errorf("rows %d to %d are %v, want %v", from, to, got, want)
			}
		}
	}
}
