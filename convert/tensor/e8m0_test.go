package tensor

import (
	"math"
	"testing"
)

// Every code is its power of two and encodes back; numbers between two go to the
// nearer one, a tie to the even code, and what no power of two is near to NaN.
func TestE8M0(t *testing.T) {
	for code := range 255 {
		x, err := At([]byte{byte(code)}, F8E8M0, 0)
		if err != nil || x != math.Ldexp(1, code-127) {
			t.Fatalf("code %d is %v, %v", code, x, err)
		}
		if got := roundE8M0(x); int(got) != code {
			t.Errorf("%v encodes as %d", x, got)
		}
	}
	if x, err := At([]byte{0xff}, F8E8M0, 0); err != nil || !math.IsNaN(x) {
		t.Errorf("0xff is %v, %v", x, err)
	}
	for x, want := range map[float64]byte{1.49: 127, 1.51: 128, 1.5: 128, 3: 128, 6: 130, 0: 255, -1: 255, math.Ldexp(1, 128): 255, math.Ldexp(1, -128): 0, math.Ldexp(1, -130): 0} {
		if got := roundE8M0(x); got != want {
			t.Errorf("%v encodes as %d, want %d", x, got, want)
		}
	}
}
