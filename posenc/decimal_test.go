package posenc

import "testing"

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "4": 4, "-2.5": -2.5, "1e-3": 0.001, ".5": 0.5, "1E2": 100} {
		if got, err := ParseDecimal(text); err != nil || got != want {
			t.Errorf("%q reads as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", " 1", "1x", "0x1p3", "0X10", "0x1p-3", "1_000", "0x_1p0", "Inf", "-inf", "infinity", "NaN", "1e400", "1,5"} {
		if got, err := ParseDecimal(bad); err == nil {
			t.Errorf("%q reads as %v, want an error", bad, got)
		}
	}
}
