package ort_test

import (
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// What a run costs beyond the graph's own work: the node is one multiplication.
func BenchmarkRunOverhead(b *testing.B) {
	s := orttest.Open(b, "testdata/default.onnx", ort.Options{Threads: 1})
	in := map[string]ort.Tensor{"x": ort.Float32([]float32{1}, 1)}
	for b.Loop() {
		if _, err := s.Run(in); err != nil {
			b.Fatal(err)
		}
	}
}

// A past of 512 positions, 3 heads of 4, for a batch that makes it as large as
// the cache of a model with 135M parameters: 23.6 MB. Where a mask tells the
// length of the result, that is written straight into Go's memory.
func BenchmarkRunCache(b *testing.B) {
	const batch, past, width = 960, 512, 4
	in := map[string]ort.Tensor{
		"past": ort.Float32(make([]float32, batch*3*past*width), batch, 3, past, width),
		"new":  ort.Float32(make([]float32, batch*3*width), batch, 3, 1, width),
	}
	for _, model := range []string{"cache", "cache_masked"} {
		b.Run(model, func(b *testing.B) {
			s := orttest.Open(b, "testdata/"+model+".onnx", ort.Options{Threads: 1})
			b.SetBytes(batch * 3 * (past + 1) * width * 4)
			for b.Loop() {
				if _, err := s.Run(in); err != nil {
					b.Fatal(err)
				}
			}
		})
		in["mask"] = ort.Int64(make([]int64, batch*(past+1)), batch, past+1)
	}
}

func BenchmarkOpen(b *testing.B) {
	orttest.Require(b)
	for b.Loop() {
		s, err := ort.Open("testdata/external.onnx", ort.Options{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
