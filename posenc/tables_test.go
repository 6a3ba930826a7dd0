package posenc

import "testing"

// TestTables: names are unique and no column is empty.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range Biases() {
		if seen[b.Name] || b.Name == "" || b.Paper == "" || b.Formula == "" {
			t.Errorf("bias row %+v", b)
		}
		seen[b.Name] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d rows", len(seen))
	}
}
