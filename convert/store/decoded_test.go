package store_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// encoded makes a tensor of numbers.
func encoded(t testing.TB, d tensor.DType, shape []int64, numbers ...float64) storetest.Tensor {
	t.Helper()
	n, err := tensor.ByteSize(d, shape)
	if err != nil {
		t.Fatal(err)
	}
	x := storetest.Tensor{DType: d, Shape: shape, Data: make([]byte, n)}
	if err := tensor.Encode64(x.Data, numbers, d); err != nil {
		t.Fatal(err)
	}
	return x
}

// count is so many numbers that float8 and int8 hold.
func count(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = float64(i%15) - 7
	}
	return list
}

const fp8Blocks = `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 4]}}`

func declares(config string) fstest.MapFS {
	return fstest.MapFS{"config.json": {Data: []byte(config)}}
}

// Quantised weights are tensors like any other: each way of reading one gives the
// bytes of its numbers, and what else it needs is not there.
func TestDecoded(t *testing.T) {
	scales, codes := []float64{1, 2, 4, 8, 16, 32}, count(30)
	numbers := make([]float64, 30)
	for i := range numbers {
		numbers[i] = codes[i] * scales[i/6/2*2+i%6/4]
	}
	stack := make([]float64, 60)
	for i := range stack {
		stack[i] = codes[i%30] * []float64{3, 5}[i/30]
	}
	plain := encoded(t, tensor.BF16, []int64{7}, count(7)...)
	m, err := storetest.New("memory", declares(fp8Blocks), map[string]storetest.Tensor{
		"a.weight": encoded(t, tensor.F8E4M3, []int64{5, 6}, codes...), "a.weight_scale_inv": encoded(t, tensor.F32, []int64{3, 2}, scales...),
		"a.activation_scale": encoded(t, tensor.F32, nil, 1),
		"b":                  encoded(t, tensor.F8E5M2, []int64{5, 6}, codes...), "b_scale_inv": encoded(t, tensor.BF16, nil, 0.5),
		"norm.weight": plain,
	})
	if err != nil {
		t.Fatal(err)
	}
	half := make([]float64, 30)
	for i := range half {
		half[i] = codes[i] / 2
	}
	storetest.Run(t, func(t testing.TB) store.Store {
		s, err := store.Decoded(m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, map[string]storetest.Tensor{
		"a.weight": encoded(t, tensor.F32, []int64{5, 6}, numbers...), "b": encoded(t, tensor.F32, []int64{5, 6}, half...), "norm.weight": plain,
	})
	s, err := store.Decoded(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Stored(s).Names(); !slices.Equal(got, m.Names()) {
		t.Errorf("stored are %q", got)
	}
	if q := store.Quantised(s); len(q.Tensors) != 2 || len(q.Warnings) != 2 || !strings.Contains(q.Warnings[0], "1 stored scales of activations") {
		t.Errorf("%+v", q)
	}
}

// What does not fit is refused when the store is opened, and a scale that is no
// number when it is read.
func TestDecodedRefuses(t *testing.T) {
	codes := encoded(t, tensor.F8E4M3, []int64{5, 6}, count(30)...)
	scales := func(shape []int64, n int) storetest.Tensor { return encoded(t, tensor.F32, shape, count(n)...) }
	for want, c := range map[string]struct {
		config  string
		tensors map[string]storetest.Tensor
	}{
		"expected [3 2], for blocks of 2 × 4": {fp8Blocks, map[string]storetest.Tensor{"w": codes, "w_scale_inv": scales([]int64{2, 2}, 4)}},
		"one for each row, [5 1]":             {`{"quantization_config": {"quant_method": "fp8"}}`, map[string]storetest.Tensor{"w": codes, "w_scale_inv": scales([]int64{3, 2}, 6)}},
		`"v" is F8_E4M3`:                      {fp8Blocks, map[string]storetest.Tensor{"w": codes, "w_scale_inv": scales([]int64{3, 2}, 6), "v": codes}},
		"expected rows and columns":           {`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 4]}}`, map[string]storetest.Tensor{"w": codes, "w_scale_inv": scales([]int64{3, 2}, 6)}},
		"expected floating-point numbers":     {fp8Blocks, map[string]storetest.Tensor{"w": codes, "w_scale_inv": encoded(t, tensor.I32, []int64{3, 2}, count(6)...)}},
	} {
		m, err := storetest.New("memory", declares(c.config), c.tensors)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Decoded(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		m, err := storetest.New("memory", declares(fp8Blocks), map[string]storetest.Tensor{"w": codes, "w_scale_inv": encoded(t, tensor.F32, []int64{3, 2}, 1, 1, 1, bad, 1, 1)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Decoded(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.ReadRows(s, "w", 0, 2); err != nil {
			t.Errorf("rows of good scales: %v", err)
		}
		if _, err := store.ReadRows(s, "w", 2, 3); err == nil || !strings.Contains(err.Error(), `"w_scale_inv": element 3 is`) {
			t.Errorf("error %v", err)
		}
	}
	// without a declaration nothing is decoded
	m, err := storetest.New("memory", declares(`{}`), map[string]storetest.Tensor{"w": codes, "w_scale_inv": scales([]int64{3, 2}, 6)})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := store.Decoded(m); err != nil || s != store.Store(m) {
		t.Errorf("%v, %v", s, err)
	}
}
