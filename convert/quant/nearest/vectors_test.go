package nearest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// block draws a block of any of the kinds that rows are made of.
func block(rng *rand.Rand, n, digits int) []float32 {
	size := drawn(rng, 1e-44, 1e-39, 1e-30, 1e-12, 1e-9, 0x1p-40, 1e-6, 1e-4, 0.002, 0.02, 0.02, 0.3, 1, 1, 300, 3000, 30000)
	kind := drawn(rng, "normal", "even", "grid", "grid", "multiples", "symmetric", "one", "two", "spike", "zeros", "signs", "near", "mixed")
	steps := drawn(rng, 1, 2, 3, 7, 8, 14, 15, 15, 15, 16, 126, 127, 127, 128, 255, 255)
	d, m := closest(size*(0.5+rng.Float64())), closest(size*rng.NormFloat64()*4)
	switch rng.IntN(4) {
	case 0:
		m = 0
	case 1: // as weights are: around 0
		m = closest(-d * float64(rng.IntN(steps+1)))
	}
	w := make([]float32, n)
	for j := range w {
		x := 0.0
		switch kind {
		case "normal":
			x = rng.NormFloat64() * size
		case "even":
			x = (rng.Float64()*2-1)*size + m
		case "grid", "near", "mixed":
			x = d*float64(rng.IntN(steps+1)) + m
			if kind == "near" { // half a place or so beside
				x *= 1 + (rng.Float64()-0.5)*math.Ldexp(1, -digits)*3
			} else if kind == "mixed" && j == n-1 {
				x += d * rng.Float64()
			}
		case "multiples":
			x = d * float64(rng.IntN(2*steps+1)-steps)
		case "symmetric":
			x = d * float64(rng.IntN(steps+1)) * float64(1-2*rng.IntN(2))
		case "one":
			x = m
		case "two":
			x = m + d*float64(rng.IntN(2))
		case "spike":
			if x = rng.NormFloat64() * size * 1e-3; j == n/2 {
				x = size
			}
		case "signs":
			x = math.Copysign(size*float64(rng.IntN(2)), float64(1-2*rng.IntN(2)))
		}
		x = max(min(x, maxHalf-512), 512-maxHalf) // which a scale can hold
		if w[j] = digitsOf(x, digits); x == 0 && rng.IntN(2) == 0 {
			w[j] = float32(math.Copysign(0, float64(1-2*rng.IntN(2))))
		}
	}
	return w
}

func drawn[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// sameSteps: -0 and 0 are two lows.
func sameSteps(a, b Step) bool {
	return math.Float32bits(a.Scale) == math.Float32bits(b.Scale) && math.Float32bits(a.Low) == math.Float32bits(b.Low) && a.Zero == b.Zero && a.Exact == b.Exact
}

// TestVectors: each kind of kernel finds the grids and codes that the plain Go does, bit
// by bit, and refuses what it does, of every scheme, size and kind of numbers.
func TestVectors(t *testing.T) {
	if len(kinds()) == 0 {
		t.Skip("no kernels for this processor: the plain Go rounds")
	}
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			exact, seen := map[string]int{}, map[string]int{}
			rapid.Check(t, func(t *rapid.T) {
				s := schemes().Draw(t, "scheme")
				digits := rapid.SampledFrom([]int{8, 11, 24}).Draw(t, "digits")
				var w []float32
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
				for range 200 {
					w = append(w, block(rng, s.Block, digits)...)
				}
				w = append(w, block(rng, rng.IntN(s.Block), digits)...)
				if size := drawn(rng, 0, 0, 0, 1e6, 1e38, math.Inf(1), math.NaN()); size != 0 { // no code stands for it
					w[rng.IntN(len(w))] = float32(size)
				}
				got, want := s.NewLine(len(w)), s.NewLine(len(w))
				got.vectors.kernels, want.vectors = k, nil
				errGot, errWant := s.Round(w, digits, got), s.Round(w, digits, want)
				if fmt.Sprint(errGot) != fmt.Sprint(errWant) {
					t.Fatalf("%v: error %v, want %v", s, errGot, errWant)
				}
				if errWant != nil {
					return
				}
				for b, g := range got.Steps {
					if !sameSteps(g, want.Steps[b]) {
						t.Fatalf("%v of %d digits: block %d is %+v, want %+v: %v", s, digits, b, g, want.Steps[b], w[b*s.Block:min((b+1)*s.Block, len(w))])
					}
					seen[s.String()]++
					if g.Exact {
						exact[s.String()]++
					}
				}
				for j, code := range got.Codes {
					if code != want.Codes[j] {
						t.Fatalf("%v of %d digits: column %d, %v, is code %d, want %d of %+v", s, digits, j, w[j], code, want.Codes[j], got.Steps[j/s.Block])
					}
				}
			})
			t.Log("on a grid:", exact, "of", seen)
		})
	}
}

// TestRow holds float16s in rows to the walk through all of them.
func TestRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := math.Ldexp(rapid.Float64Range(1, 2).Draw(t, "x"), rapid.IntRange(-12, 14).Draw(t, "exponent"))
		if rapid.Bool().Draw(t, "negative") {
			x = -x
		}
		if rapid.Bool().Draw(t, "one of them") {
			x = closest(x)
		}
		room := math.Abs(x) * rapid.SampledFrom([]float64{0, 1e-7, 0x1p-12, 0x1p-9, 0x1p-8}).Draw(t, "room")
		var want, got []float64
		for y := up(x - room); y <= x+room; y = up(math.Nextafter(y, math.Inf(1))) {
			want = append(want, y)
		}
		var v vectors
		for from := up(x - room); from <= x+room; {
			many, next := v.row(from, x+room)
			if many < 1 || many > maxTries {
				t.Fatalf("%v, %v: %d numbers in a row, want %v", x, room, many, want)
			}
			for i := range many {
				got = append(got, v.first+float64(i+1)*v.step)
			}
			from = next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v, %v: %v, want %v", x, room, got, want)
		}
	})
}
