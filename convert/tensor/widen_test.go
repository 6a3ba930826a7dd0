package tensor

import (
	"encoding/binary"
	"math"
	"testing"
)

// TestWiden: every number of bfloat16, whatever lies beside it, by the definition.
func TestWiden(t *testing.T) {
	src := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(src[2*i:], uint16(i))
	}
	check := func(from, n int) {
		dst := make([]float32, n+1)
		dst[n] = 7
		if err := Decode32(dst[:n], src[2*from:2*(from+n)], BF16); err != nil {
			t.Fatal(err)
		}
		for i, x := range dst[:n] {
			if got, want := math.Float32bits(x), uint32(from+i)<<16; got != want {
				t.Fatalf("%d numbers from %d: %#x, want %#x", n, from, got, want)
			}
		}
		if dst[n] != 7 {
			t.Fatalf("%d numbers from %d: wrote past the end", n, from)
		}
	}
	check(0, 1<<16)
	for n := range 70 {
		check(1000+n, n)
	}
}
