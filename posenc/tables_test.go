package posenc

import "testing"

// TestTables: names are unique and every column that documents print is filled.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range Biases() {
		if seen[b.Name] || b.Name == "" || b.Title == "" || b.Paper == "" || b.Formula == "" || (b.Query == "") != (b.Key == "") {
			t.Errorf("bias row %+v", b)
		}
		seen[b.Name] = true
	}
	for _, r := range Rotations() {
		if seen[r.Name] || r.Name == "" || r.Title == "" || r.Paper == "" || r.Formula == "" {
			t.Errorf("rotation row %+v", r)
		}
		seen[r.Name] = true
	}
	if len(seen) != 17 {
		t.Errorf("%d rows", len(seen))
	}
}
