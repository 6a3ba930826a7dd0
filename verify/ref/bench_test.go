package ref

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// BenchmarkModel times the forward pass of the checkpoint that
// PECVT_BENCH_MODEL names, in both precisions, over PECVT_BENCH_TOKENS (256)
// tokens and all their logits. testdata/tools/bench_ref.py times the same pass
// in PyTorch, and runs this one beside it.
func BenchmarkModel(b *testing.B) {
	dir := os.Getenv("PECVT_BENCH_MODEL")
	if dir == "" {
		dir = testdata + "/models/stories260K"
	}
	n := 256
	if v, err := strconv.Atoi(os.Getenv("PECVT_BENCH_TOKENS")); err == nil {
		n = v
	}
	src, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		b.Fatal(err)
	}
	ids := tokens(m, 1, n)
	measure := func(name string, run func() error) {
		b.Run(name, func(b *testing.B) {
			begin := cpuSeconds()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuSeconds()-begin)/float64(b.N), "cpu-s/op")
			b.ReportMetric(peakMiB(), "peak-MiB")
		})
	}
	b.Logf("%s, BLAS: %s", dir, BLAS())
	measure("float64", func() error {
		_, err := New(m, src).Forward(context.Background(), Input{IDs: ids}, Options{})
		return err
	})
	measure("float32", func() error {
		_, err := New32(m, src).Forward(context.Background(), Input32{IDs: ids}, Options32{})
		return err
	})
}
