package tensor

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"

	"github.com/x448/float16"
)

func all16() []byte {
	b := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(i))
	}
	return b
}

func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// Every binary16 code, against x448/float16 in both directions.
func TestF16EveryCode(t *testing.T) {
	src := all16()
	got64, got32 := make([]float64, 1<<16), make([]float32, 1<<16)
	if err := Decode64(got64, src, F16); err != nil {
		t.Fatal(err)
	}
	if err := Decode32(got32, src, F16); err != nil {
		t.Fatal(err)
	}
	for i := range 1 << 16 {
		want := float64(float16.Frombits(uint16(i)).Float32())
		if !same(got64[i], want) || !same(float64(got32[i]), want) {
			t.Fatalf("code %#04x: got %v and %v, want %v", i, got64[i], got32[i], want)
		}
	}
	roundTrip(t, src, F16)
}

// Every bfloat16 code: it is the upper half of a binary32.
func TestBF16EveryCode(t *testing.T) {
	src := all16()
	got64, got32 := make([]float64, 1<<16), make([]float32, 1<<16)
	if err := Decode64(got64, src, BF16); err != nil {
		t.Fatal(err)
	}
	if err := Decode32(got32, src, BF16); err != nil {
		t.Fatal(err)
	}
	for i := range 1 << 16 {
		want := float64(math.Float32frombits(uint32(i) << 16))
		if !same(got64[i], want) || !same(float64(got32[i]), want) {
			t.Fatalf("code %#04x: got %v and %v, want %v", i, got64[i], got32[i], want)
		}
	}
	roundTrip(t, src, BF16)
}

// Every FP8 code, against the definitions of OFP8 1.0, table 1, worked out here
// with integers: value = (-1)^s 2^(max(e,1)-bias) (m / 2^manBits + [e > 0]).
func TestFP8EveryCode(t *testing.T) {
	src := make([]byte, 256)
	for i := range src {
		src[i] = byte(i)
	}
	for _, c := range []struct {
		d             DType
		manBits, bias int
		special       func(abs int) (float64, bool)
	}{
		{F8E4M3, 3, 7, func(abs int) (float64, bool) { return math.NaN(), abs == 0x7f }},
		{F8E5M2, 2, 15, func(abs int) (float64, bool) {
			if abs == 0x7c {
				return math.Inf(1), true
			}
			return math.NaN(), abs > 0x7c
		}},
	} {
		got64, got32 := make([]float64, 256), make([]float32, 256)
		if err := Decode64(got64, src, c.d); err != nil {
			t.Fatal(err)
		}
		if err := Decode32(got32, src, c.d); err != nil {
			t.Fatal(err)
		}
		for i := range 256 {
			abs := i & 0x7f
			want, special := c.special(abs)
			if !special {
				e, m := abs>>c.manBits, abs&(1<<c.manBits-1)
				if e > 0 {
					m += 1 << c.manBits
				}
				want = float64(m) * math.Pow(2, float64(max(e, 1)-c.bias-c.manBits))
			}
			if i >= 0x80 {
				want = -want
			}
			if !same(got64[i], want) || !same(float64(got32[i]), want) {
				t.Errorf("%s code %#02x: got %v and %v, want %v", c.d, i, got64[i], got32[i], want)
			}
		}
		roundTrip(t, src, c.d)
	}
	// The named values of the specification.
	for _, c := range []struct {
		d    DType
		code byte
		want float64
	}{
		{F8E4M3, 0x7e, 448}, {F8E4M3, 0x08, math.Ldexp(1, -6)}, {F8E4M3, 0x07, 0.875 * math.Ldexp(1, -6)}, {F8E4M3, 0x01, math.Ldexp(1, -9)},
		{F8E5M2, 0x7b, 57344}, {F8E5M2, 0x04, math.Ldexp(1, -14)}, {F8E5M2, 0x03, 0.75 * math.Ldexp(1, -14)}, {F8E5M2, 0x01, math.Ldexp(1, -16)},
	} {
		got := make([]float64, 1)
		if err := Decode64(got, []byte{c.code}, c.d); err != nil || got[0] != c.want {
			t.Errorf("%s %#02x = %v, %v; want %v", c.d, c.code, got[0], err, c.want)
		}
	}
}

// roundTrip encodes the decoded values again, from float64 and from float32; NaN
// must stay NaN, anything else its own bits.
func roundTrip(t *testing.T, src []byte, d DType) {
	t.Helper()
	n := len(src) / d.Size()
	v64, v32 := make([]float64, n), make([]float32, n)
	if err := Decode64(v64, src, d); err != nil {
		t.Fatal(err)
	}
	if err := Decode32(v32, src, d); err != nil {
		t.Fatal(err)
	}
	back64, back32 := make([]byte, len(src)), make([]byte, len(src))
	if err := Encode64(back64, v64, d); err != nil {
		t.Fatal(err)
	}
	if err := Encode32(back32, v32, d); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at := i * d.Size()
		for _, back := range [][]byte{back64, back32} {
			code := back[at : at+d.Size()]
			if math.IsNaN(v64[i]) {
				again := make([]float64, 1)
				if err := Decode64(again, code, d); err != nil || !math.IsNaN(again[0]) {
					t.Fatalf("%s element %d: NaN came back as %v", d, i, again[0])
				}
			} else if string(code) != string(src[at:at+d.Size()]) {
				t.Fatalf("%s element %d (%v): % x came back as % x", d, i, v64[i], src[at:at+d.Size()], code)
			}
		}
	}
}

// finiteValues gives the non-negative finite values of a type in rising order of
// code, which is their order, and after them the value that the next code would
// have: the limit that rounding to nearest measures overflow by.
func finiteValues(t *testing.T, d DType) []float64 {
	t.Helper()
	f := map[DType]*format{F16: &formatF16, BF16: &formatBF16, F8E4M3: &formatE4M3, F8E5M2: &formatE5M2}[d]
	n := int(f.max) + 1
	src := make([]byte, n*d.Size())
	for i := range n {
		if d.Size() == 1 {
			src[i] = byte(i)
		} else {
			binary.LittleEndian.PutUint16(src[2*i:], uint16(i))
		}
	}
	v := make([]float64, n)
	if err := Decode64(v, src, d); err != nil {
		t.Fatal(err)
	}
	return append(v, v[n-1]+(v[n-1]-v[n-2]))
}

// Between any two neighbours, the midpoint goes to the even code, and the
// float64 values next to the midpoint go to their own side. The latter lie
// within half a unit of float32's last place of the midpoint, so that rounding
// through float32 would make ties of them and get every other one wrong.
func TestRoundingAtEveryMidpoint(t *testing.T) {
	for _, d := range []DType{F16, BF16, F8E4M3, F8E5M2} {
		v := finiteValues(t, d)
		for i := 0; i+1 < len(v); i++ {
			mid := v[i] + (v[i+1]-v[i])/2 // exact: one more mantissa bit
			for _, c := range []struct {
				x    float64
				want int
			}{
				{v[i], i},
				{mid, i + i&1},
				{math.Nextafter(mid, math.Inf(-1)), i},
				{math.Nextafter(mid, math.Inf(1)), i + 1},
			} {
				for sign := range 2 {
					if got, want := encodeOne(t, d, c.x, sign == 1), wantCode(d, c.want, sign); got != want {
						t.Fatalf("%s: %v (sign %d): got code %#x, want %#x", d, c.x, sign, got, want)
					}
				}
			}
		}
	}
}

// wantCode turns the index of a magnitude into a code: one beyond the largest
// finite value is the overflow, which has the next code in every type.
func wantCode(d DType, i, sign int) uint32 {
	return uint32(i) | uint32(sign)<<(8*d.Size()-1)
}

func encodeOne(t *testing.T, d DType, x float64, negative bool) uint32 {
	t.Helper()
	if negative {
		x = -x
	}
	var b [8]byte
	if err := Encode64(b[:d.Size()], []float64{x}, d); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(b[:])
}

// Values for which float64 -> float32 -> narrow differs from one rounding.
func TestNoDoubleRounding(t *testing.T) {
	for _, c := range []struct {
		d    DType
		x    float64
		want float64
	}{
		// 1 + 2^-11 is halfway between 1 and 1 + 2^-10; the 2^-40 decides.
		{F16, 1 + math.Ldexp(1, -11) + math.Ldexp(1, -40), 1 + math.Ldexp(1, -10)},
		{F16, 1 + 3*math.Ldexp(1, -11) - math.Ldexp(1, -40), 1 + math.Ldexp(1, -10)},
		{BF16, 1 + math.Ldexp(1, -8) + math.Ldexp(1, -50), 1 + math.Ldexp(1, -7)},
		{BF16, 1 + 3*math.Ldexp(1, -8) - math.Ldexp(1, -50), 1 + math.Ldexp(1, -7)},
		{F8E4M3, 1 + math.Ldexp(1, -4) + math.Ldexp(1, -45), 1.125},
		{F8E5M2, 1 + math.Ldexp(1, -3) + math.Ldexp(1, -45), 1.25},
		// Subnormals: half of the smallest is a tie with 0.
		{F16, math.Ldexp(1, -25), 0},
		{F16, math.Ldexp(1, -25) + math.Ldexp(1, -60), math.Ldexp(1, -24)},
		{BF16, math.Ldexp(1, -134), 0},
		{BF16, math.Ldexp(1, -134) * (1 + math.Ldexp(1, -52)), math.Ldexp(1, -133)},
		{F8E4M3, math.Ldexp(1, -10), 0},
		{F8E4M3, math.Ldexp(1, -10) * (1 + math.Ldexp(1, -52)), math.Ldexp(1, -9)},
		// Overflow: 65520 is the tie of F16, 464 of E4M3, 61440 of E5M2.
		{F16, 65519.999999, 65504}, {F16, 65520, math.Inf(1)},
		{F8E4M3, 464, 448}, {F8E4M3, 464.0000001, math.NaN()}, {F8E4M3, math.Inf(1), math.NaN()},
		{F8E5M2, 61439.99999, 57344}, {F8E5M2, 61440, math.Inf(1)},
		{BF16, math.MaxFloat64, math.Inf(1)}, {F32, math.MaxFloat64, math.Inf(1)},
		// Far below everything, and the smallest float64.
		{F16, math.SmallestNonzeroFloat64, 0}, {BF16, math.SmallestNonzeroFloat64, 0}, {BF16, 0x1p-1022, 0},
	} {
		b := make([]byte, c.d.Size())
		got := make([]float64, 1)
		if err := Encode64(b, []float64{c.x}, c.d); err != nil {
			t.Fatal(err)
		}
		if err := Decode64(got, b, c.d); err != nil {
			t.Fatal(err)
		}
		if !same(got[0], c.want) {
			t.Errorf("%s: %v encodes to %v, want %v", c.d, c.x, got[0], c.want)
		}
	}
}

// math/big rounds to any precision to nearest even: an oracle for the normal
// values of each type.
func TestRoundingAgainstBig(t *testing.T) {
	for _, c := range []struct {
		d      DType
		prec   uint
		lo, hi int // exponents within which every result is normal and finite
	}{{F16, 11, -14, 14}, {BF16, 8, -126, 126}, {F8E4M3, 4, -6, 7}, {F8E5M2, 3, -14, 14}, {F32, 24, -126, 126}} {
		state := uint64(1)
		for range 20000 {
			// A linear congruential generator (Knuth, MMIX) is random enough.
			state = state*6364136223846793005 + 1442695040888963407
			man := state>>11 | 1<<52
			exp := c.lo + int(state>>3%uint64(c.hi-c.lo))
			x := math.Ldexp(float64(man), exp-52)
			if state&1 == 1 {
				x = -x
			}
			want, _ := new(big.Float).SetPrec(c.prec).SetMode(big.ToNearestEven).SetFloat64(x).Float64()
			b, got := make([]byte, c.d.Size()), make([]float64, 1)
			if err := Encode64(b, []float64{x}, c.d); err != nil {
				t.Fatal(err)
			}
			if err := Decode64(got, b, c.d); err != nil {
				t.Fatal(err)
			}
			if got[0] != want {
				t.Fatalf("%s: %v encodes to %v, want %v", c.d, x, got[0], want)
			}
		}
	}
}
