package tensor

import "testing"

func benchmarkDecode(b *testing.B, d DType, decode func(src []byte) error) {
	const n = 1 << 20
	src := make([]byte, n*d.Size())
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i%255-127) / 64
	}
	if err := Encode64(src, x, d); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if err := decode(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode64(b *testing.B) {
	dst := make([]float64, 1<<20)
	for _, d := range []DType{BF16, F16, F32, F8E4M3} {
		b.Run(d.String(), func(b *testing.B) {
			benchmarkDecode(b, d, func(src []byte) error { return Decode64(dst, src, d) })
		})
	}
}

func BenchmarkDecode32(b *testing.B) {
	dst := make([]float32, 1<<20)
	for _, d := range []DType{BF16, F16, F32, F8E4M3} {
		b.Run(d.String(), func(b *testing.B) {
			benchmarkDecode(b, d, func(src []byte) error { return Decode32(dst, src, d) })
		})
	}
}

func BenchmarkEncode64(b *testing.B) {
	src := make([]float64, 1<<20)
	for i := range src {
		src[i] = float64(i%1021-510) / 977
	}
	for _, d := range []DType{BF16, F16, F32} {
		b.Run(d.String(), func(b *testing.B) {
			dst := make([]byte, len(src)*d.Size())
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				if err := Encode64(dst, src, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNonFinite(b *testing.B) {
	for _, d := range []DType{BF16, F16, F32} {
		b.Run(d.String(), func(b *testing.B) {
			benchmarkDecode(b, d, func(src []byte) error { NonFinite(src, d); return nil })
		})
	}
}
