package store_test

import (
	"testing"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// BenchmarkDecoded reads a matrix of float8 in blocks of 128 × 128, 64 rows at a time.
func BenchmarkDecoded(b *testing.B) {
	const rows, columns = 1024, 4096
	codes := storetest.Tensor{DType: tensor.F8E4M3, Shape: []int64{rows, columns}, Data: make([]byte, rows*columns)}
	for i := range codes.Data {
		codes.Data[i] = byte(i % 100)
	}
	m, err := storetest.New("memory", declares(`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}`), map[string]storetest.Tensor{
		"w": codes, "w_scale_inv": encoded(b, tensor.F32, []int64{8, 32}, count(256)...),
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Decoded(m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4 * rows * columns)
	b.ReportAllocs()
	for b.Loop() {
		for row := int64(0); row < rows; row += 64 {
			if _, err := store.ReadRows(s, "w", row, row+64); err != nil {
				b.Fatal(err)
			}
		}
	}
}
