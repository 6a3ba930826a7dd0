package tensor

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// A block by hand: the scale 0.5 and the codes -16 to 15.
func q8Block(scale float32) []byte {
	b := make([]byte, q8Bytes)
	binary.LittleEndian.PutUint16(b, uint16(formatF16.round(float64(scale))))
	for i := range q8Elements {
		b[2+i] = byte(int8(i - 16))
	}
	return b
}

func TestQ8Decodes(t *testing.T) {
	raw := append(q8Block(0.5), q8Block(-2)...)
	f64, f32 := make([]float64, 64), make([]float32, 64)
	if err := Decode64(f64, raw, Q8_0); err != nil {
		t.Fatal(err)
	}
	if err := Decode32(f32, raw, Q8_0); err != nil {
		t.Fatal(err)
	}
	for i := range f64 {
		want := 0.5 * float64(i-16)
		if i >= 32 {
			want = -2 * float64(i-48)
		}
		if f64[i] != want || f32[i] != float32(want) {
			t.Errorf("element %d is %v and %v, want %v", i, f64[i], f32[i], want)
		}
		if x, err := At(raw, Q8_0, int64(i)); err != nil || x != want {
			t.Errorf("At(%d) = %v, %v, want %v", i, x, err, want)
		}
	}
	for _, at := range []int64{-1, 64} {
		if _, err := At(raw, Q8_0, at); err == nil {
			t.Errorf("At(%d) of 64 elements is accepted", at)
		}
	}
}

// What ggml's quantize_row_q8_0_ref gives, by its own steps in float32: the worst
// element is off by half a step, and codes that stand for themselves come back.
func TestQ8Encodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	x := make([]float32, 4*q8Elements)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	clear(x[:q8Elements])
	raw, back := make([]byte, 4*q8Bytes), make([]float32, len(x))
	if err := Encode32(raw, x, Q8_0); err != nil {
		t.Fatal(err)
	}
	if err := Decode32(back, raw, Q8_0); err != nil {
		t.Fatal(err)
	}
	for b := 0; b < len(x); b += q8Elements {
		largest := float32(0)
		for _, v := range x[b : b+q8Elements] {
			largest = max(largest, float32(math.Abs(float64(v))))
		}
		step := float64(largest) / 127
		for i := b; i < b+q8Elements; i++ {
			if off := math.Abs(float64(back[i] - x[i])); off > step/2+float64(largest)/2048 {
				t.Errorf("element %d: %v became %v, a step is %v", i, x[i], back[i], step)
			}
		}
	}
	again := make([]byte, len(raw))
	exact := append(q8Block(0.5), q8Block(0.25)...)
	exact[2], exact[q8Bytes+2] = 0x81, 127 // the largest code decides the scale
	values := make([]float64, 64)
	if err := Decode64(values, exact, Q8_0); err != nil {
		t.Fatal(err)
	}
	if err := Encode64(again[:len(exact)], values, Q8_0); err != nil || string(again[:len(exact)]) != string(exact) {
		t.Errorf("blocks came back as % x, want % x (%v)", again[:len(exact)], exact, err)
	}
}

// The gguf package's own blocks, to the last bit; see testdata/make_q8_0.py.
func TestQ8IsGGUFs(t *testing.T) {
	const blocks = 24
	data, err := os.ReadFile("testdata/q8_0.bin")
	if err != nil {
		t.Fatal(err)
	}
	values, want := data[:blocks*q8Elements*4], data[blocks*q8Elements*4:]
	x := make([]float32, blocks*q8Elements)
	if err := Decode32(x, values, F32); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, blocks*q8Bytes)
	if err := Encode32(got, x, Q8_0); err != nil {
		t.Fatal(err)
	}
	for b := range blocks {
		if g, w := got[b*q8Bytes:][:q8Bytes], want[b*q8Bytes:][:q8Bytes]; !bytes.Equal(g, w) {
			t.Errorf("block %d: % x, want % x", b, g, w)
		}
	}
}

func TestQ8HidesNoDamage(t *testing.T) {
	x := make([]float64, 96)
	for i := range x {
		x[i] = 1e-3 * float64(i)
	}
	raw := make([]byte, 3*q8Bytes)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 127 * 70000} {
		y := append([]float64(nil), x...)
		y[40] = bad
		if err := Encode64(raw, y, Q8_0); err != nil {
			t.Fatal(err)
		}
		if at, found := NonFinite(raw, Q8_0); !found || at != 32 {
			t.Errorf("%v at 40: found %v at %d, want the block at 32", bad, found, at)
		}
	}
	if err := Encode64(raw, x, Q8_0); err != nil {
		t.Fatal(err)
	}
	if at, found := NonFinite(raw, Q8_0); found {
		t.Errorf("element %d of finite ones is called not finite", at)
	}
	tiny := make([]float64, 32)
	tiny[3] = 1e-44
	if err := Encode64(raw[:q8Bytes], tiny, Q8_0); err != nil || !AllZero(raw[:q8Bytes], Q8_0) {
		t.Errorf("what no binary16 scale can hold became % x (%v)", raw[:q8Bytes], err)
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		d     DType
		shape []int64
		bytes int64
		err   string
	}{
		{Q8_0, []int64{32}, 34, ""}, {Q8_0, []int64{3, 64}, 204, ""}, {Q8_0, []int64{0, 32}, 0, ""}, {Q8_0, []int64{2, 5, 96}, 1020, ""},
		{Q8_0, []int64{32, 3}, 0, "rows of 3 elements are no whole blocks of 32"}, {Q8_0, nil, 0, "rows of 1 elements"},
		{Q8_0, []int64{1 << 60, 32}, 0, "overflows"},
	} {
		n, err := ByteSize(c.d, c.shape)
		if n != c.bytes || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("ByteSize(%s, %v) = %d, %v; want %d, %q", c.d, c.shape, n, err, c.bytes, c.err)
		}
	}
	for _, c := range []struct {
		d          DType
		shape      []int64
		begin, end int64
		from, to   int64
		err        string
	}{
		{BF16, []int64{4, 6}, 1, 3, 12, 36, ""}, {F32, []int64{8}, 2, 5, 8, 20, ""}, {F64, nil, 0, 1, 0, 8, ""},
		{Q8_0, []int64{4, 64}, 1, 3, 68, 204, ""}, {Q8_0, []int64{96}, 32, 96, 34, 102, ""}, {F32, []int64{0, 4}, 0, 0, 0, 0, ""},
		{Q8_0, []int64{96}, 16, 96, 0, 0, "cut a block of Q8_0"}, {Q8_0, []int64{96}, 0, 33, 0, 0, "cut a block"},
		{BF16, []int64{4, 6}, 3, 5, 0, 0, "rows 3 to 5 of 4"}, {BF16, []int64{4, 6}, -1, 2, 0, 0, "rows -1 to 2"}, {BF16, []int64{4}, 3, 2, 0, 0, "rows 3 to 2"},
	} {
		from, to, err := RowBytes(c.d, c.shape, c.begin, c.end)
		if from != c.from || to != c.to || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("RowBytes(%s, %v, %d, %d) = %d, %d, %v; want %d, %d, %q", c.d, c.shape, c.begin, c.end, from, to, err, c.from, c.to, c.err)
		}
	}
	if n, err := Count(Q8_0, 68); n != 64 || err != nil {
		t.Errorf("Count(Q8_0, 68) = %d, %v", n, err)
	}
	if _, err := Count(Q8_0, 67); err == nil {
		t.Error("Count accepts half a block")
	}
	if err := Decode64(make([]float64, 16), make([]byte, 34), Q8_0); err == nil || !strings.Contains(err.Error(), "in blocks of 32") {
		t.Errorf("half a block decodes: %v", err)
	}
	if _, err := ParseDType("Q8_0"); err == nil || strings.Contains(err.Error(), "known are Q8_0") {
		t.Errorf("a header may name Q8_0: %v", err)
	}
}

// Every unit's sign byte does what Negate says, from any place in the run.
func TestNegate(t *testing.T) {
	for _, d := range append(DTypes(), Q8_0) { // golden_test.go has the formats that are not written
		elements, bytes := d.Unit()
		x := make([]float64, 4*elements)
		for i := range x {
			x[i] = float64(1 + i%2)
		}
		raw, got := make([]byte, 4*bytes), make([]float64, len(x))
		if err := Encode64(raw, x, d); err != nil && d != Bool {
			t.Fatal(err)
		}
		if AllZero(raw, d) && d != Bool {
			t.Errorf("%s: %v is called zero", d, x)
		}
		for at := 0; at < len(raw); at += 3 { // in pieces that cut elements
			if ok := Negate(raw[at:min(at+3, len(raw))], d, int64(at)); ok != (d.IsFloat() && d != F8E8M0) {
				t.Fatalf("%s: Negate says %v", d, ok)
			}
		}
		if !d.IsFloat() || d == F8E8M0 { // which has no sign
			continue
		}
		if err := Decode64(got, raw, d); err != nil {
			t.Fatal(err)
		}
		want := make([]float64, len(x))
		if err := Encode64(raw, x, d); err != nil {
			t.Fatal(err)
		}
		if err := Decode64(want, raw, d); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got[i] != -want[i] || got[i] == 0 {
				t.Fatalf("%s: element %d is %v, want %v", d, i, got[i], -want[i])
			}
		}
		if err := Encode64(raw, make([]float64, len(x)), d); err != nil {
			t.Fatal(err)
		}
		Negate(raw, d, 0)
		if !AllZero(raw, d) {
			t.Errorf("%s: -0 is not zero", d)
		}
	}
}
