package family_test

import (
	"testing"

	"github.com/pecvt/pecvt/convert/families"
)

// TestNewKeysAlone: what readers of the older keys alone would miss.
func TestNewKeysAlone(t *testing.T) {
	for _, c := range []struct {
		edits map[string]string
		want  bool
	}{
		{map[string]string{}, true}, // base 300 in rope_parameters
		{map[string]string{"rope_theta": "300"}, false},
		{map[string]string{"rope_parameters": `{"rope_type":"default","rope_theta":10000.0}`}, false},
		{map[string]string{"rope_parameters": `{"rope_type":"linear","factor":2.0,"rope_theta":10000.0}`}, true},
		{map[string]string{"rope_parameters": `{"rope_type":"linear","factor":2.0,"rope_theta":10000.0}`, "rope_theta": "10000", "rope_scaling": `{"rope_type":"linear","factor":2.0}`}, false},
		{map[string]string{"rope_parameters": "", "rope_theta": "300"}, false},
	} {
		m, err := families.FromConfig(edited(t, "../../testdata/golden/llama-gqa", c.edits))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.NewKeysAlone(); got != c.want {
			t.Errorf("%v: %v", c.edits, got)
		}
	}
}
