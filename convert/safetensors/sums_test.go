package safetensors

import (
	"testing"
)

// TestSums: the check value of CRC-32C (RFC 3720, B.4: nine digits give e3069283; 32
// zeros 8a9136aa), in any pieces, empty parts among them.
func TestSums(t *testing.T) {
	data := append([]byte("123456789"), make([]byte, 32)...)
	for step := 1; step <= len(data); step++ {
		s := NewSums([]int64{41, 9, 9})
		for at := 0; at < len(data); at += step {
			if got := s.String(); got != "" {
				t.Errorf("after %d bytes: %q", at, got)
			}
			s.Write(data[at:min(at+step, len(data))])
		}
		if got, want := s.String(), "e3069283"+"00000000"+"8a9136aa"; got != want {
			t.Errorf("in steps of %d: %s, want %s", step, got, want)
		}
	}
}
