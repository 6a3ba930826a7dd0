package generate

import (
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/ort"
)

// A cache of 16 bits is kept, widened and handed on as the bytes that it is.
func TestCacheOfSixteenBits(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F16, tensor.BF16} {
		in := ort.Value{Name: "past_key_values.0.key", DType: d, Shape: []int64{-1, 2, -1, 3}, Symbols: []string{"batch_size", "", "past_sequence_length", ""}}
		out := ort.Value{Name: "present.0.key", DType: d, Shape: in.Shape, Symbols: in.Symbols}
		c, err := newCache(in, []ort.Value{out}, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.begin()
		past, present := c.turn(0, 5, 8)
		if past.DType != d || present.DType != d || len(past.Bytes) != 0 || len(present.Bytes) != 2*2*5*3 || present.F32 != nil {
			t.Errorf("%v: past of %d bytes, present of %d", d, len(past.Bytes), len(present.Bytes))
		}
		for i := range present.Bytes {
			present.Bytes[i] = byte(i)
		}
		c.turned()
		again, _ := c.turn(5, 6, 8)
		if &again.Bytes[0] != &present.Bytes[0] {
			t.Errorf("%v: the next call reads a copy", d)
		}

		c.inPlace, c.room = true, 5
		c.halves[0] = buffer{dtype: d, bytes: append([]byte(nil), present.Bytes...)}
		wide, _ := c.turn(5, 6, 7)
		for h := range 2 { // positions of a head stay together, those after them are new
			for i := range 2 * 5 * 3 {
				if got, want := wide.Bytes[h*2*7*3+i], byte(h*2*5*3+i); got != want {
					t.Fatalf("%v: head %d, byte %d is %d after more room: want %d", d, h, i, got, want)
				}
			}
		}
		if out.DType = tensor.F32; err == nil {
			if _, err := newCache(in, []ort.Value{out}, 0); err == nil {
				t.Errorf("%v: a cache that comes back as float32 is no error", d)
			}
		}
	}
}
