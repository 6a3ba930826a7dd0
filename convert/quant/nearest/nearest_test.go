package nearest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// digitsOf rounds a number to so many binary digits.
func digitsOf(x float64, digits int) float32 {
	if x == 0 {
		return 0
	}
	f, e := math.Frexp(x)
	return float32(math.Ldexp(math.RoundToEven(math.Ldexp(f, digits)), e-digits))
}

func schemes() *rapid.Generator[Scheme] {
	return rapid.Custom(func(t *rapid.T) Scheme {
		return Scheme{rapid.SampledFrom([]int{4, 8}).Draw(t, "bits"), rapid.SampledFrom(Blocks()).Draw(t, "block"), rapid.SampledFrom(ZeroPoints()).Draw(t, "zeros")}
	})
}

// TestHalfAStep: no number is farther from its code's than half of the scale, whatever
// the numbers and the scheme, and scales and lows are float16's.
func TestHalfAStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schemes().Draw(t, "scheme")
		digits := rapid.SampledFrom([]int{8, 11, 24}).Draw(t, "digits")
		size := rapid.SampledFrom([]float64{1e-9, 1e-4, 0.02, 1, 2000}).Draw(t, "size")
		shift := rapid.SampledFrom([]float64{0, 0, -3, 0.9, 20}).Draw(t, "shift")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		w := make([]float32, rapid.IntRange(1, 200).Draw(t, "columns"))
		for j := range w {
			w[j] = digitsOf((rng.NormFloat64()+shift)*size, digits)
		}
		line := s.NewLine(len(w))
		if err := s.Round(w, digits, line); err != nil {
			t.Fatal(err)
		}
		for j, x := range w {
			g := line.Steps[j/s.Block]
			if off := math.Abs(g.Number(int(line.Codes[j])) - float64(x)); off > math.Abs(float64(g.Scale))/2*(1+1e-9)+halfUlp(x, digits) {
				t.Fatalf("%v: column %d, %v: code %d of %+v is off by %v", s, j, x, line.Codes[j], g, off)
			}
			if int(line.Codes[j]) > s.Top() || closest(float64(g.Scale)) != float64(g.Scale) || closest(float64(g.Low)) != float64(g.Low) {
				t.Fatalf("%v: code %d of %+v", s, line.Codes[j], g)
			}
			if s.Zeros != ZeroFloat && g.Low != 0 || s.Zeros == ZeroNone && g.Zero != s.Middle() {
				t.Fatalf("%v: %+v", s, g)
			}
		}
	})
}

// TestFoundAgain: what ggml's Q4_0, Q4_1 and Q8_0 mean, rounded to bfloat16,
// float16 or not, lies on the grid that is found, to half a unit in the last place.
func TestFoundAgain(t *testing.T) {
	half := func(x float64) float64 { return closest(x) }
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		digits := rapid.SampledFrom([]int{8, 11, 24}).Draw(t, "digits")
		kind := rapid.SampledFrom([]string{"Q4_0", "Q4_1", "Q8_0"}).Draw(t, "kind")
		size := rapid.SampledFrom([]float64{0.003, 0.05, 2}).Draw(t, "size")
		x := make([]float64, 32)
		lo, hi, largest := math.Inf(1), math.Inf(-1), 0.0
		for j := range x {
			x[j] = rng.NormFloat64() * size
			lo, hi = min(lo, x[j]), max(hi, x[j])
			if math.Abs(x[j]) > math.Abs(largest) {
				largest = x[j]
			}
		}
		s := Scheme{4, 32, ZeroNone}
		w := make([]float32, 32)
		switch kind { // the formulas of ggml's reference quantisation
		case "Q4_0":
			d := half(largest / -8)
			for j := range x {
				w[j] = digitsOf(d*min(15, math.Floor(x[j]/d+8.5))-8*d, digits)
			}
		case "Q4_1":
			d, m := half((hi-lo)/15), half(lo)
			for j := range x {
				w[j] = digitsOf(d*max(min(15, math.Floor((x[j]-lo)/((hi-lo)/15)+0.5)), 0)+m, digits)
			}
			s.Zeros = ZeroFloat
		case "Q8_0":
			d := half(math.Abs(largest) / 127)
			for j := range x {
				w[j] = digitsOf(d*math.Round(x[j]/(math.Abs(largest)/127)), digits)
			}
			s.Bits = 8
		}
		line := s.NewLine(32)
		if err := s.Round(w, digits, line); err != nil {
			t.Fatal(err)
		}
		for j := range w {
			g := line.Steps[0]
			if off := math.Abs(g.Number(int(line.Codes[j])) - float64(w[j])); !g.Exact || off > halfUlp(w[j], digits) {
				t.Fatalf("%s of %d digits: %v is off by %v, half a place is %v (%+v)", kind, digits, w[j], off, halfUlp(w[j], digits), g)
			}
		}
	})
}

// TestNotFound: numbers that were never on a grid are on none, of bfloat16's digits neither.
func TestNotFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, s := range []Scheme{{4, 32, ZeroNone}, {4, 32, ZeroFloat}, {4, 32, ZeroCode}, {8, 32, ZeroNone}, {8, 32, ZeroFloat}, {8, 32, ZeroCode}} {
		for range 20000 {
			w := make([]float32, 32)
			for j := range w {
				w[j] = digitsOf(rng.NormFloat64()*0.05, 8)
			}
			if g, err := s.Fit(w, 8); err != nil || g.Exact {
				t.Fatalf("%v: %+v, %v of %v", s, g, err, w)
			}
		}
	}
}

// TestRefused: what no code stands for is an error that names the columns.
func TestRefused(t *testing.T) {
	s := Scheme{4, 32, ZeroFloat}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 3e38} {
		w := make([]float32, 40)
		w[35] = bad
		if err := s.Round(w, 24, s.NewLine(40)); err == nil {
			t.Errorf("%v was rounded", bad)
		}
	}
	if _, err := Parse("int5, blocks of 32, zero points float"); err == nil {
		t.Error("5 bits were read")
	}
	if got, err := Parse(s.String()); got != s || err != nil {
		t.Errorf("%v, %v from %q", got, err, s)
	}
}

// BenchmarkRound: bytes are those of bfloat16 that are rounded, on a grid of the scheme and
// on none, by each kind of kernel and in plain Go.
func BenchmarkRound(b *testing.B) {
	for _, s := range []Scheme{{4, 32, ZeroFloat}, {4, 32, ZeroCode}, {4, 32, ZeroNone}, {8, 32, ZeroNone}} {
		for _, found := range []bool{true, false} {
			w := make([]float32, 4096)
			rng := rand.New(rand.NewPCG(1, 1))
			for j := range w {
				x := rng.NormFloat64()
				if d := closest((0.3 + float64(j/32)/300) / float64(s.Middle())); found {
					code := rng.IntN(s.Top()+1) - s.Middle()
					switch j % 32 { // each code's ends, of Q8_0's less one
					case 3:
						code = -s.Middle() + (s.Bits-4)/4
					case 5:
						code = s.Middle() - 1
					}
					if x = d * float64(code); s.Zeros == ZeroFloat {
						x -= closest(0.01)
					}
				}
				w[j] = digitsOf(x, 8)
			}
			name := fmt.Sprintf("int%d/%s/%s", s.Bits, s.Zeros, map[bool]string{true: "found", false: "rounded"}[found])
			for _, k := range append(kinds(), nil) {
				kind := "Go"
				if k != nil {
					kind = k.name
				}
				b.Run(name+"/"+kind, func(b *testing.B) {
					line := s.NewLine(len(w))
					line.vectors.kernels = k
					b.SetBytes(int64(2 * len(w)))
					for b.Loop() {
						if err := s.Round(w, 8, line); err != nil {
							b.Fatal(err)
						}
					}
					if line.Steps[0].Exact != found {
						b.Fatalf("a block is %+v, of a grid: %v", line.Steps[0], found)
					}
				})
			}
		}
	}
}
