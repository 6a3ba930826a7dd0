package eval

import (
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// BenchmarkMeasure: what the figures of 64 tokens cost beside the forward pass,
// for a vocabulary of 49152, with a source. The bytes are those of the logits.
func BenchmarkMeasure(b *testing.B) {
	const rows, vocab = 64, 49152
	rng := rand.New(rand.NewPCG(1, 2))
	piece := make([]logits, 2)
	for k := range piece {
		piece[k] = logits{vocab: vocab, data: make([]float32, rows*vocab)}
		for i := range piece[k].data {
			piece[k].data[i] = float32(rng.NormFloat64() * 4)
		}
	}
	ids := make([]int64, rows+1)
	for i := range ids {
		ids[i] = rng.Int64N(vocab)
	}
	for name, source := range map[string]int{"perplexity": -1, "with a source": 0} {
		b.Run(name, func(b *testing.B) {
			used := piece[:2+min(source, 0)]
			traces := make([]Trace, len(used))
			for k := range traces {
				traces[k] = Trace{NLL: make([]float64, rows), Top: make([]int64, rows)}
				if source >= 0 && k != source {
					traces[k].KL, traces[k].OK = make([]float64, rows), make([]bool, rows)
				}
			}
			b.SetBytes(int64(len(used)) * rows * vocab * 4)
			for b.Loop() {
				if _, err := measure(used, source, ids, 0, rows, traces); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkScore: stories260K in both runners.
func BenchmarkScore(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([]int64, 512)
	for i := range ids {
		ids[i] = rng.Int64N(512)
	}
	for _, runner := range Runners() {
		b.Run(runner, func(b *testing.B) {
			if runner == RunnerORT {
				orttest.Require(b)
			}
			m, err := Open(b.Context(), "../../testdata/models/stories260K", Options{Runner: runner, Provider: ort.ProviderCPU})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			for b.Loop() {
				if _, err := m.Score(b.Context(), [][]int64{ids}, ScoreOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
