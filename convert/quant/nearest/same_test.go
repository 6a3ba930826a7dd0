package nearest

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSameEverywhere: what is written depends on no processor, neither on its kernels nor
// on whether it fuses products and sums: one checksum of rows on grids, beside them and on
// none, of all schemes.
func TestSameEverywhere(t *testing.T) {
	const want = 0x2cd94589
	rng := rand.New(rand.NewPCG(11, 12))
	sum := crc32.NewIEEE()
	for _, bits := range []int{4, 8} {
		for _, size := range Blocks() {
			for _, zeros := range ZeroPoints() {
				s := Scheme{bits, size, zeros}
				for _, digits := range []int{8, 11, 24} {
					w := make([]float32, 40*size+size/2)
					for from := 0; from < len(w); from += size {
						d, m := closest(0.001+rng.Float64()/50), closest(rng.Float64()/4-0.2)
						if zeros != ZeroFloat {
							m = 0
						}
						for j := from; j < min(from+size, len(w)); j++ {
							x := float64(d*float64(rng.IntN(s.Top()+1)-s.Middle())) + m
							switch from / size % 4 {
							case 1:
								x *= 1 + (rng.Float64()-0.5)/256
							case 2:
								x = rng.Float64() - 0.4
							}
							w[j] = digitsOf(x, digits)
						}
					}
					line := s.NewLine(len(w))
					if err := s.Round(w, digits, line); err != nil {
						t.Fatal(err)
					}
					sum.Write(line.Codes)
					for _, g := range line.Steps {
						var b []byte
						b = binary.LittleEndian.AppendUint32(b, math.Float32bits(g.Scale))
						b = binary.LittleEndian.AppendUint32(b, math.Float32bits(g.Low))
						b = append(b, byte(g.Zero))
						if b = append(b, 0); g.Exact {
							b[len(b)-1] = 1
						}
						sum.Write(b)
					}
				}
			}
		}
	}
	if got := sum.Sum32(); got != want {
		t.Errorf("checksum %#08x, want %#08x", got, uint32(want))
	}
}
