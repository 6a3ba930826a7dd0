package family_test

import (
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
