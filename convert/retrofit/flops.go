package retrofit

import (
	"math"
	"time"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gemm"
)

// Shortest is the least number of positions of a sequence that Calibrate takes:
// it has a row that is held out. Sequences makes none that is shorter.
const Shortest = heldOutOf

// Flops is the arithmetic of a calibration: the source's forward passes and the
// steps, 2 flops for a multiplication and its addition.
func Flops(m *family.Model, source, student []Turn, sequences [][]int64, o CalibrateOptions) float64 {
	o = o.defaults()
	last := -1
	var sum float64
	for i := range m.Blocks {
		if source[i].Same(&student[i]) {
			continue
		}
		last = i
		a := m.Blocks[i].Attn()
		s := &Shape{Hidden: m.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadDim: a.QKDim}
		sum += stepsFlops(s, sequences, o)
	}
	for i := range m.Blocks {
		if i < last {
			sum += LayerFlops(m, i, sequences)
		}
	}
	return sum
}

// stepsFlops are all steps of one layer.
func stepsFlops(s *Shape, sequences [][]int64, o CalibrateOptions) float64 {
	var sum float64
	steps, far := float64(o.Steps), o.joined(sequences)
	if far != nil {
		grown := float64(far.length) / float64(far.from)
		n := float64(far.from) * (grown - 1) / math.Log(grown) // the mean of draw's ends
		sum += farShare * steps * stepFlops(s, int(n), o)
		steps *= 1 - farShare
	}
	for _, c := range classes(sequences) {
		share := c.share
		if o.Together {
			share = 1
		}
		sum += share * steps * stepFlops(s, len(sequences[c.members[0]]), o)
	}
	return sum
}

// stepFlops is one step on a sequence of n positions: the student's keys and
// dW_k, the queries of both layers and dW_q, and four products of rows with the
// keys that they see, 0.6 of all on average. A basis has three more products with all
// weights.
func stepFlops(s *Shape, n int, o CalibrateOptions) float64 {
	d, t, r := float64(s.Hidden), drawn(n, o.Rows), float64(o.Rows)
	q, k := float64(s.Heads*s.HeadDim), float64(s.KVHeads*s.HeadDim)
	sum := 4*t*d*k + 6*r*d*q + 0.6*8*r*t*q
	if o.Fit == FitBasis {
		sum += 6 * float64(s.HeadDim) * d * (q + k)
	}
	return sum
}

// LayerFlops is layer i of the source's forward pass over sequences, 2 flops for a
// multiplication and its addition.
func LayerFlops(m *family.Model, i int, sequences [][]int64) float64 {
	a := m.Blocks[i].Attn()
	var weights float64
	for _, p := range m.PartsOf(i) {
		if l, ok := p.Of.(*family.Linear); ok && !p.Encoding {
			weights += float64(l.Weight.Shape[0]) * float64(l.Weight.Shape[1])
		}
	}
	var sum float64
	for _, s := range sequences {
		t := float64(len(s))
		sum += 2*weights*t + t*t*float64(a.Heads*(a.QKDim+a.VDim))
	}
	return sum
}

// Rate measures the machine's float32 products, in flops per second.
func Rate() float64 {
	const m, n, k = 512, 192, 576
	a, b, c := make([]float32, m*k), make([]float32, n*k), make([]float32, m*n)
	for i := range a {
		a[i] = float32(i%7) - 3
	}
	for i := range b {
		b[i] = float32(i%5) - 2
	}
	mul := func() { gemm.Share(1, gemm.Of(m, k, k, a), gemm.Of(n, k, k, b).T(), 0, gemm.Of(m, n, n, c)) }
	mul()
	begin, runs := time.Now(), 0
	for time.Since(begin) < 200*time.Millisecond {
		mul()
		runs++
	}
	return 2 * m * n * k * float64(runs) / time.Since(begin).Seconds()
}
