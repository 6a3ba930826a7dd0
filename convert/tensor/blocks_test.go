package tensor_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// blocksOf reads the units of a format and what the official gguf package decodes
// them to.
func blocksOf(t testing.TB, d tensor.DType) (raw []byte, values []float32) {
	t.Helper()
	c, err := safetensors.OpenCheckpoint("testdata/blocks.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stored, err := c.Bytes(d.String() + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	if values, err = c.Float32(d.String() + ".values"); err != nil {
		t.Fatal(err)
	}
	return append(raw, stored...), values
}

// Every block format gives the reference's numbers, bit for bit.
func TestBlockFormats(t *testing.T) {
	for _, d := range tensor.BlockFormats() {
		raw, want := blocksOf(t, d)
		f32, f64 := make([]float32, len(want)), make([]float64, len(want))
		if err := tensor.Decode32(f32, raw, d); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Decode64(f64, raw, d); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if math.Float32bits(f32[i]) != math.Float32bits(w) || f64[i] != float64(w) {
				t.Fatalf("%s: element %d is %v and %v, want %v", d, i, f32[i], f64[i], w)
			}
		}
		if at, found := tensor.NonFinite(raw, d); found {
			t.Errorf("%s: element %d is called not finite", d, at)
		}
		elements, size := d.Unit()
		if len(want)/elements < 24 || len(raw)/size != len(want)/elements {
			t.Errorf("%s: %d bytes and %d elements", d, len(raw), len(want))
		}
		if err := tensor.Encode32(raw, want, d); (err == nil) != d.Encodes() {
			t.Errorf("%s: written: %v", d, err)
		}
	}
}

// A scale that is not finite is found where it is; Negate turns the signs of the
// formats that have one for all of a unit, and no other.
func TestBlockScales(t *testing.T) {
	scale := map[tensor.DType]int{tensor.Q8_0: 0, tensor.Q4_0: 0, tensor.Q4_1: 2, tensor.Q5_0: 0, tensor.Q5_1: 2, tensor.Q4_K: 2, tensor.Q5_K: 0, tensor.Q6_K: 208}
	signed := map[tensor.DType]bool{tensor.Q8_0: true, tensor.Q4_0: true, tensor.Q5_0: true, tensor.Q6_K: true}
	for _, d := range tensor.BlockFormats() {
		raw, want := blocksOf(t, d)
		elements, size := d.Unit()
		negated, got := append([]byte{}, raw...), make([]float64, len(want))
		if ok := tensor.Negate(negated, d, 0); ok != signed[d] {
			t.Fatalf("%s: Negate says %v", d, ok)
		}
		if err := tensor.Decode64(got, negated, d); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if signed[d] {
				w = -w
			}
			if got[i] != float64(w) {
				t.Fatalf("%s: element %d is %v, want %v", d, i, got[i], w)
			}
		}
		for _, code := range []uint16{0x7c00, 0xfc00, 0x7e00} {
			spoilt := append([]byte{}, raw...)
			if at, ok := scale[d]; ok {
				binary.LittleEndian.PutUint16(spoilt[7*size+at:], code)
			} else { // MXFP4: 2^127 times 6
				spoilt[7*size], spoilt[7*size+1] = 254, 7
			}
			if at, found := tensor.NonFinite(spoilt, d); !found || at != int64(7*elements) {
				t.Errorf("%s: a scale of %#x in unit 7 is found: %v, at %d", d, code, found, at)
			}
		}
	}
}

func BenchmarkDecodeBlocks(b *testing.B) {
	for _, d := range tensor.BlockFormats() {
		raw, values := blocksOf(b, d)
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(values))) // of output
			for b.Loop() {
				if err := tensor.Decode32(values, raw, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
