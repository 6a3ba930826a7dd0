package widths_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// matrix holds numbers as bfloat16 or float32, rounded to it.
func matrix(d tensor.DType, rows, columns int, number func(i, j int) float64) storetest.Tensor {
	var raw []byte
	for i := range rows {
		for j := range columns {
			bits := math.Float32bits(float32(number(i, j)))
			if d == tensor.F32 {
				raw = binary.LittleEndian.AppendUint32(raw, bits)
				continue
			}
			bits += 0x7fff + bits>>16&1 // ties to even
			raw = binary.LittleEndian.AppendUint16(raw, uint16(bits>>16))
		}
	}
	return storetest.Tensor{DType: d, Shape: []int64{int64(rows), int64(columns)}, Data: raw}
}

// TestNew: the embedding is coded as asked for; left to itself, on the grid where its
// numbers lie, by ggml's formulas of Q4_1 and Q8_0, and as the maps where they lie on none.
func TestNew(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	half := func(x float64) float64 { return float64(nearest.Half(x)) }
	free := func(int, int) float64 { return rng.NormFloat64() * 0.04 }
	blocks := func(code func(x []float64) func(j int) float64) func(i, j int) float64 {
		var number func(j int) float64
		return func(_, j int) float64 {
			if j%32 == 0 {
				x := make([]float64, 32)
				for k := range x {
					x[k] = rng.NormFloat64() * 0.04
				}
				number = code(x)
			}
			return number(j % 32)
		}
	}
	q8 := blocks(func(x []float64) func(int) float64 {
		largest := 0.0
		for _, v := range x {
			largest = max(largest, math.Abs(v))
		}
		d := half(largest / 127)
		return func(j int) float64 { return d * math.Round(x[j]/(largest/127)) }
	})
	q41 := blocks(func(x []float64) func(int) float64 {
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, v := range x {
			lo, hi = min(lo, v), max(hi, v)
		}
		d, m := half((hi-lo)/15), half(lo)
		return func(j int) float64 { return d*math.Round((x[j]-lo)/((hi-lo)/15)) + m }
	})
	maps, wide := nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroFloat}, nearest.Scheme{Bits: 4, Block: 128, Zeros: nearest.ZeroFloat}
	eight := nearest.Scheme{Bits: 8, Block: 32, Zeros: nearest.ZeroNone}
	for _, c := range []struct {
		name   string
		number func(i, j int) float64
		maps   nearest.Scheme
		head   string
		want   *nearest.Scheme
		text   string
	}{
		{"never on a grid", free, maps, "", &maps, ""},
		{"Q8_0", q8, maps, widths.Auto, &eight, "int8, blocks of 32, zero points none"},
		{"Q8_0, wide maps", q8, wide, widths.Auto, &eight, "int8, blocks of 32, zero points none"},
		{"Q4_1", q41, maps, widths.Auto, &maps, ""},
		{"Q4_1, wide maps", q41, wide, widths.Auto, &maps, "int4, blocks of 32, zero points float"},
		{"zeros", func(int, int) float64 { return 0 }, maps, widths.Auto, &maps, ""},
		{"stored", free, maps, widths.Stored, nil, "stored"},
		{"int8", q41, wide, widths.Int8, &nearest.Scheme{Bits: 8, Block: 128, Zeros: nearest.ZeroNone}, "int8, blocks of 128, zero points none"},
		{"int4", q8, maps, widths.Int4, &maps, ""},
	} {
		for _, d := range []tensor.DType{tensor.BF16, tensor.F32} {
			src, err := storetest.New("m", nil, map[string]storetest.Tensor{"embed": matrix(d, 80, 128, c.number), "map": matrix(d, 1, 128, free)})
			if err != nil {
				t.Fatal(err)
			}
			weight := func(name string) family.Weight {
				info, _ := src.Lookup(name)
				return family.Weight{Tensor: name, Shape: info.Shape, Stored: info.Shape}
			}
			m := &family.Model{Embed: weight("embed"), Head: family.Linear{Weight: weight("embed")}}
			s, err := widths.New(m, src, c.maps, c.head)
			if err != nil {
				t.Fatal(err)
			}
			got, codes := s.Of(m.Embed)
			if codes != (c.want != nil) || codes && got != *c.want || s.Head(m) != c.text {
				t.Errorf("%s, %s: %v, %v, %q: expected %v, %q", c.name, d, got, codes, s.Head(m), c.want, c.text)
			}
			if got, codes := s.Of(weight("map")); !codes || got != c.maps {
				t.Errorf("%s: a map has %v", c.name, got)
			}
		}
	}
	src, _ := storetest.New("m", nil, nil)
	m := &family.Model{Embed: family.Weight{Tensor: "a", Shape: []int64{2, 32}}, Head: family.Linear{Weight: family.Weight{Tensor: "b", Shape: []int64{2, 32}}}}
	if s, err := widths.New(m, src, maps, ""); err != nil || s.Head(m) != "" {
		t.Errorf("of what is not there: %v, %v", s, err)
	}
	if _, err := widths.New(m, src, maps, "int9"); err == nil {
		t.Error("int9 was taken")
	}
}

// TestLossless: of a map by ggml's formula of Q4_0, whose least numbers are seldom float16's,
// another kind of zero points is told where those asked for lose something, and there alone.
func TestLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var d float64
	q40 := func(_, j int) float64 {
		if j%32 == 0 { // one of the ends is code -8
			d = float64(nearest.Half((rng.Float64() + 0.5) * 0.01 * float64(1-2*rng.IntN(2))))
			return -8 * d
		}
		return d * float64(rng.IntN(16)-8)
	}
	free := func(int, int) float64 { return rng.NormFloat64() * 0.04 }
	zeros := func(int, int) float64 { return 0 }
	for _, c := range []struct {
		name   string
		number func(i, j int) float64
		maps   nearest.Scheme
		want   string
	}{
		{"floats", q40, nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroFloat}, "int4, blocks of 32, zero points none"},
		{"longer blocks", q40, nearest.Scheme{Bits: 4, Block: 64, Zeros: nearest.ZeroNone}, "int4, blocks of 32, zero points none"},
		{"kept", q40, nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroNone}, ""},
		{"kept by codes", q40, nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroCode}, ""},
		{"on no grid", free, nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroFloat}, ""},
		{"zeros", zeros, nearest.Scheme{Bits: 4, Block: 64, Zeros: nearest.ZeroFloat}, ""},
	} {
		src, err := storetest.New("m", nil, map[string]storetest.Tensor{"w": matrix(tensor.BF16, 70, 128, c.number)})
		if err != nil {
			t.Fatal(err)
		}
		w := family.Weight{Tensor: "w", Stored: []int64{70, 128}, Shape: []int64{70, 128}}
		got, found, err := widths.Lossless(w, src, c.maps)
		if err != nil || found != (c.want != "") || found && got.String() != c.want {
			t.Errorf("%s: %v, %v, %v: expected %q", c.name, got, found, err, c.want)
		}
	}
}
