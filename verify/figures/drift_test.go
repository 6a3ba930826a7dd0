package figures

import "testing"

func TestBuckets(t *testing.T) {
	for p, k := range map[int]int{0: 0, 15: 0, 16: 1, 31: 1, 32: 2, 63: 2, 64: 3, 8191: 9} {
		if got := bucketOf(p); got != k {
			t.Errorf("position %d: bucket %d, want %d", p, got, k)
		}
	}
}
