package family_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

func TestStoredRow(t *testing.T) {
	w := family.Weight{Rows: []family.Range{{Begin: 10, End: 12}, {Begin: 0, End: 3}}}
	for row, want := range []int64{10, 11, 0, 1, 2} {
		if got := w.StoredRow(int64(row)); got != want {
			t.Errorf("row %d is stored row %d, want %d", row, got, want)
		}
	}
	w.Rows = nil
	if got := w.StoredRow(7); got != 7 {
		t.Errorf("row 7 of a whole tensor is stored row %d", got)
	}
}

// scaled is a 5 × 6 matrix of float8 codes with scales beside it, rows 3 to 5
// and 0 of it as a weight, and the numbers that they are.
func scaled(t *testing.T, shape []int64, scales []float64, s family.Scales) (w family.Weight, src *storetest.Memory, want []float64) {
	t.Helper()
	const rows, columns = 5, 6
	codes := make([]float64, rows*columns)
	for i := range codes {
		codes[i] = float64(i%15) - 7 // exact in E4M3
	}
	raw, factors := make([]byte, len(codes)), make([]byte, 4*len(scales))
	if err := tensor.Encode64(raw, codes, tensor.F8E4M3); err != nil {
		t.Fatal(err)
	}
	if err := tensor.Encode64(factors, scales, tensor.F32); err != nil {
		t.Fatal(err)
	}
	src, err := storetest.New("memory", fstest.MapFS{}, map[string]storetest.Tensor{
		"w":                {DType: tensor.F8E4M3, Shape: []int64{rows, columns}, Data: raw},
		"w_scale_inv":      {DType: tensor.F32, Shape: shape, Data: factors},
		"another.w_scales": {DType: tensor.F32, Shape: []int64{0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Tensor = "w_scale_inv"
	w = family.Weight{Tensor: "w", Shape: []int64{3, columns}, Stored: []int64{rows, columns}, Rows: []family.Range{{Begin: 3, End: 5}, {Begin: 0, End: 1}}, Scales: &s}
	for _, row := range []int64{3, 4, 0} {
		for j := range int64(columns) {
			at := int64(0)
			if s.Rows > 0 {
				at = row/s.Rows*shape[1] + j/s.Columns
			}
			want = append(want, codes[row*columns+j]*scales[at])
		}
	}
	return w, src, want
}

func TestScales(t *testing.T) {
	for name, c := range map[string]struct {
		shape  []int64
		scales []float64
		s      family.Scales
	}{
		"tensor": {nil, []float64{0.25}, family.Scales{}},
		"blocks": {[]int64{3, 2}, []float64{1, 2, 4, 8, 16, 32}, family.Scales{Rows: 2, Columns: 4}},
		"rows":   {[]int64{5, 1}, []float64{1, 2, 4, 8, 16}, family.Scales{Rows: 1, Columns: 6}},
	} {
		w, src, want := scaled(t, c.shape, c.scales, c.s)
		got, err := w.Float64(src)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
		short, err := w.Float32(src)
		if err != nil || len(short) != len(want) {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range short {
			if float64(short[i]) != want[i] {
				t.Errorf("%s: element %d is %v in float32, want %v", name, i, short[i], want[i])
			}
		}
		raw, d, err := w.Codes(src)
		if err != nil || d != tensor.F8E4M3 || len(raw) != 18 {
			t.Errorf("%s: codes %s %v, %v", name, d, raw, err)
		}
		part := make([]float64, 6)
		if err := family.Decode(w, src, part, raw[6:12], d, 1); err != nil || !slices.Equal(part, want[6:12]) {
			t.Errorf("%s: row 1 is %v, want %v (%v)", name, part, want[6:12], err)
		}
		if _, _, err := w.Bytes(src); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), `"w_scale_inv"`) {
			t.Errorf("%s: its bytes are taken for its numbers: %v", name, err)
		}
	}
}

func TestScalesThatDoNotFit(t *testing.T) {
	for want, c := range map[string]struct {
		shape  []int64
		scales []float64
		edit   func(w *family.Weight)
	}{
		"expected [3 2] for blocks of 2 × 4": {[]int64{2, 2}, []float64{1, 1, 1, 1}, nil},
		"expected one":                       {[]int64{2}, []float64{1, 1}, func(w *family.Weight) { w.Scales.Rows, w.Scales.Columns = 0, 0 }},
		"expected blocks of a matrix":        {[]int64{3, 2}, make([]float64, 6), func(w *family.Weight) { w.Scales.Columns = 0 }},
		`"w_scale_inv": element 1 is NaN`:    {[]int64{3, 2}, []float64{1, math.NaN(), 1, 1, 1, 1}, nil},
		"no such tensor":                     {[]int64{3, 2}, make([]float64, 6), func(w *family.Weight) { w.Scales.Tensor = "gone" }},
	} {
		w, src, _ := scaled(t, []int64{3, 2}, make([]float64, 6), family.Scales{Rows: 2, Columns: 4})
		data := make([]byte, 4*len(c.scales))
		if err := tensor.Encode64(data, c.scales, tensor.F32); err != nil {
			t.Fatal(err)
		}
		src.Tensors["w_scale_inv"] = storetest.Tensor{DType: tensor.F32, Shape: c.shape, Data: data}
		if c.edit != nil {
			c.edit(&w)
		}
		if _, err := w.Float64(src); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `tensor "w"`) {
			t.Errorf("error %v, want %q and the tensor in it", err, want)
		}
	}
}

// A model with scaled weights is one that only those compute who know of them.
func TestScaledWeightsAreAFeature(t *testing.T) {
	m, _ := open(t, "llama-gqa")
	if err := m.Beyond(); err != nil {
		t.Fatal(err)
	}
	m.Blocks[1].Attn().K.Weight.Scales = &family.Scales{Tensor: "s"}
	if err := m.Beyond(); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), string(family.ScaledWeights)) {
		t.Errorf("scaled weights are passed over: %v", err)
	}
	if err := m.Beyond(family.ScaledWeights); err != nil {
		t.Error(err)
	}
}
