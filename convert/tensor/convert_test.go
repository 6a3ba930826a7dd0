package tensor

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		d    DType
		src  []byte
		want []int64
	}{
		{I8, []byte{0x80, 0x7f, 0xff}, []int64{-128, 127, -1}},
		{U8, []byte{0x80, 0x7f, 0xff}, []int64{128, 127, 255}},
		{Bool, []byte{0, 1, 7}, []int64{0, 1, 1}},
		{I16, []byte{0x00, 0x80, 0xff, 0x7f}, []int64{-32768, 32767}},
		{U16, []byte{0x00, 0x80, 0xff, 0x7f}, []int64{32768, 32767}},
		{I32, []byte{0, 0, 0, 0x80, 1, 2, 3, 4}, []int64{math.MinInt32, 0x04030201}},
		{U32, []byte{0, 0, 0, 0x80, 1, 2, 3, 4}, []int64{1 << 31, 0x04030201}},
		{I64, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, []int64{math.MinInt64}},
		{U64, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, []int64{math.MaxInt64}},
	} {
		n := len(c.want)
		got, f64, f32 := make([]int64, n), make([]float64, n), make([]float32, n)
		if err := DecodeInt64(got, c.src, c.d); err != nil {
			t.Fatal(err)
		}
		if err := Decode64(f64, c.src, c.d); err != nil {
			t.Fatal(err)
		}
		if err := Decode32(f32, c.src, c.d); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != c.want[i] || f64[i] != float64(c.want[i]) || f32[i] != float32(c.want[i]) {
				t.Errorf("%s element %d: %d, %v, %v; want %d", c.d, i, got[i], f64[i], f32[i], c.want[i])
			}
		}
	}
}

func TestIntegerErrors(t *testing.T) {
	one := make([]int64, 1)
	for _, c := range []struct {
		d    DType
		src  []byte
		want string
	}{
		{F32, make([]byte, 4), "F32 is not an integer type"},
		{BF16, make([]byte, 2), "BF16 is not an integer type"},
		{U64, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, "element 0 of U64 is 9223372036854775808"},
		{I32, make([]byte, 3), "1 elements of I32 need 4 bytes, got 3"},
		{DType(99), nil, "not a dtype"},
	} {
		if err := DecodeInt64(one, c.src, c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.d, err, c.want)
		}
	}
	for _, c := range []struct {
		d DType
		x float64
	}{
		{I8, 128}, {I8, -129}, {U8, -1}, {U8, 256}, {U8, 0.5}, {Bool, 2}, {Bool, -1}, {I16, 32768}, {U16, 65536},
		{I32, 1 << 31}, {U32, 1 << 32}, {I64, 0x1p63}, {U64, 0x1p64}, {I64, math.NaN()}, {U32, math.Inf(1)},
	} {
		if err := Encode64(make([]byte, c.d.Size()), []float64{c.x}, c.d); err == nil || !strings.Contains(err.Error(), "element 0") {
			t.Errorf("%v as %s: error %v", c.x, c.d, err)
		}
	}
}

func TestIntegerRoundTrip(t *testing.T) {
	for _, d := range DTypes() {
		if d.IsFloat() {
			continue
		}
		lo, hi := integerRange(d)
		for _, x := range []float64{lo, 0, 1, math.Nextafter(hi, 0)} {
			x = math.Trunc(x)
			b, got := make([]byte, d.Size()), make([]float64, 1)
			if err := Encode64(b, []float64{x}, d); err != nil {
				t.Errorf("%s: %v", d, err)
			}
			if err := Decode64(got, b, d); err != nil || got[0] != x {
				t.Errorf("%s: %v came back as %v, %v", d, x, got[0], err)
			}
		}
	}
}

func TestLengthsAreChecked(t *testing.T) {
	for _, d := range DTypes() {
		for _, n := range []int{0, 1, 3} {
			for _, bytes := range []int{n*d.Size() - 1, n*d.Size() + 1, (n + 1) * d.Size()} {
				if bytes < 0 {
					continue
				}
				src := make([]byte, bytes)
				for what, err := range map[string]error{
					"Decode64": Decode64(make([]float64, n), src, d),
					"Decode32": Decode32(make([]float32, n), src, d),
					"Encode64": Encode64(src, make([]float64, n), d),
					"Encode32": Encode32(src, make([]float32, n), d),
				} {
					if err == nil {
						t.Errorf("%s of %d %s accepts %d bytes", what, n, d, bytes)
					}
				}
			}
		}
	}
}

func TestNonFinite(t *testing.T) {
	for _, d := range DTypes() {
		x := make([]float64, 9)
		for i := range x {
			x[i] = float64(i % 2)
			if d == F8E8M0 { // has no zero
				x[i]++
			}
		}
		b := make([]byte, len(x)*d.Size())
		if err := Encode64(b, x, d); err != nil {
			t.Fatal(err)
		}
		if i, found := NonFinite(b, d); found {
			t.Errorf("%s: found element %d among finite ones", d, i)
		}
		if !d.IsFloat() {
			for i := range b {
				b[i] = 0xff
			}
			if _, found := NonFinite(b, d); found {
				t.Errorf("%s: an integer is not finite", d)
			}
			continue
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			y := append([]float64(nil), x...)
			y[5], y[7] = bad, bad
			if err := Encode64(b, y, d); err != nil {
				t.Fatal(err)
			}
			if i, found := NonFinite(b, d); !found || i != 5 {
				t.Errorf("%s with %v at 5: got %d, %v", d, bad, i, found)
			}
		}
		largest := map[DType]float64{BF16: 0x1.fep127, F16: 65504, F32: math.MaxFloat32, F64: math.MaxFloat64, F8E4M3: 448, F8E5M2: 57344, F8E8M0: -0x1p127}[d] // E8M0 has no sign
		if err := Encode64(b[:d.Size()], []float64{-largest}, d); err != nil {
			t.Fatal(err)
		}
		if _, found := NonFinite(b[:d.Size()], d); found {
			t.Errorf("%s: the largest finite value %v is called non-finite", d, largest)
		}
	}
}

// The long inputs of the loops must give what single elements give: it covers
// every path that handles several elements at once.
func TestLongInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(DTypes()).Draw(t, "dtype")
		src := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		n := len(src) / d.Size()
		src = src[:n*d.Size()]
		f64, f32 := make([]float64, n), make([]float32, n)
		if err := Decode64(f64, src, d); err != nil {
			t.Fatal(err)
		}
		if err := Decode32(f32, src, d); err != nil {
			t.Fatal(err)
		}
		first := int64(-1)
		for i := range n {
			one := make([]float64, 1)
			if err := Decode64(one, src[i*d.Size():(i+1)*d.Size()], d); err != nil {
				t.Fatal(err)
			}
			if !same(one[0], f64[i]) {
				t.Fatalf("element %d: %v in a row, %v alone", i, f64[i], one[0])
			}
			if d != I64 && d != U64 && !same(float64(f32[i]), float64(float32(f64[i]))) {
				t.Fatalf("element %d: float32 %v, float64 %v", i, f32[i], f64[i])
			}
			if first < 0 && (math.IsNaN(f64[i]) || math.IsInf(f64[i], 0)) {
				first = int64(i)
			}
		}
		if got, found := NonFinite(src, d); found != (first >= 0) || found && got != first {
			t.Fatalf("NonFinite = %d, %v; want %d", got, found, first)
		}
	})
}

// TestNonFiniteWide: elements that are looked at side by side do not disturb each other:
// among the largest finite ones of both signs, one that is not is found at any place.
func TestNonFiniteWide(t *testing.T) {
	for d, largest := range map[DType]float64{BF16: 0x1.fep127, F16: 65504, F32: math.MaxFloat32} {
		x := make([]float64, 67)
		for i := range x {
			x[i] = largest
			if i%3 == 0 {
				x[i] = -largest
			}
		}
		b := make([]byte, len(x)*d.Size())
		if err := Encode64(b, x, d); err != nil {
			t.Fatal(err)
		}
		if i, found := NonFinite(b, d); found {
			t.Errorf("%s: found element %d among finite ones", d, i)
		}
		for at := range x {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				y := slices.Clone(x)
				y[at] = bad
				if err := Encode64(b, y, d); err != nil {
					t.Fatal(err)
				}
				if i, found := NonFinite(b, d); !found || i != int64(at) {
					t.Errorf("%s with %v at %d: got %d, %v", d, bad, at, i, found)
				}
			}
		}
	}
}
